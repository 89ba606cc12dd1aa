"""What the teacher is asked: antonym pairs, one pair for each attribute, and five graded words.

Sources: the seven pairs, each prompt with its full stop, are QualiCLIP's (Agnolucci, Galteri, Bertini,
"Quality-aware Image-Text Alignment for Opinion-Unaware Image Quality Assessment", arXiv 2403.11176); the graded
words are LIQE's (Zhang et al., "Blind Image Quality Assessment via Vision-Language Correspondence", CVPR 2023).
The attribute pairs are in the manner of CLIP-IQA's (Wang, Chan, Loy, AAAI 2023), one for each of the student's.
"""

from __future__ import annotations

from dataclasses import dataclass

# Positive prompt first.
ANTONYM_PAIRS = (
    ("Good photo.", "Bad photo."),
    ("Sharp image.", "Blurry image."),
    ("Sharp edges.", "Blurry edges."),
    ("High-resolution image.", "Low-resolution image."),
    ("Noise-free image.", "Noisy image."),
    ("High-quality image.", "Low-quality image."),
    ("Good picture.", "Bad picture."),
)
# One for each of the student's attributes, in their order.
ATTRIBUTE_PAIRS = {
    "sharpness": ("Sharp photo.", "Blurry photo."),
    "noise": ("Noise-free photo.", "Noisy photo."),
    "exposure": ("Well-exposed photo.", "Badly exposed photo."),
    "contrast": ("High-contrast photo.", "Low-contrast photo."),
    "colour": ("Photo with natural colours.", "Photo with unnatural colours."),
    "compression": ("Uncompressed photo.", "Photo with compression artifacts."),
}
# Worst first: a grade's value is its place, from 0 to 1.
GRADES = ("bad", "poor", "fair", "good", "perfect")
GRADED_PROMPTS = tuple(f"a photo with {grade} quality" for grade in GRADES)


@dataclass(frozen=True)
class PromptSet:
    """All prompts of one teacher.

    Attributes:
        pairs: antonyms whose mean probability is a score.
        attributes: one pair for each of the student's attributes, in their order.
        grades: graded prompts, worst first.
    """

    pairs: tuple[tuple[str, str], ...] = ANTONYM_PAIRS
    attributes: tuple[tuple[str, str], ...] = tuple(ATTRIBUTE_PAIRS.values())
    grades: tuple[str, ...] = GRADED_PROMPTS

    def texts(self) -> list[str]:
        """Every prompt in the order of the text embeddings: pairs, attribute pairs (positive first), grades."""
        return [prompt for pair in (*self.pairs, *self.attributes) for prompt in pair] + list(self.grades)
