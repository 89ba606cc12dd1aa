"""24 kinds of degradation in 7 groups, 5 levels each: pure, seeded, batched, and harder level by level.

Families after KADID-10k (Lin, Hosu, Saupe, "KADID-10k: A Large-scale Artificially Distorted IQA Database",
QoMEX 2019), parameters after ARNIQA (Agnolucci et al., "ARNIQA: Learning Distortion Manifold for Image
Quality Assessment", WACV 2024). Where a published level is the identity or turns back on itself, ``degrade``
says what stands here instead. Radii, lengths, patch sizes and patch counts are absolute, so a level's
severity depends on the resolution: degrade a photo at the resolution at which the network will see it.
"""
