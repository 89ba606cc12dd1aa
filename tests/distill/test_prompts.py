"""The prompts are data: these tests are their specification."""

from __future__ import annotations

from distill.networks.student import ATTRIBUTES
from distill.teacher.prompts import ANTONYM_PAIRS, ATTRIBUTE_PAIRS, GRADED_PROMPTS, PromptSet


def test_the_seven_pairs_are_fourteen_prompts_each_with_its_full_stop() -> None:
    prompts = [prompt for pair in ANTONYM_PAIRS for prompt in pair]
    assert len(set(prompts)) == 14
    assert all(prompt.endswith(".") and prompt.count(".") == 1 for prompt in prompts)


def test_the_pairs_are_the_published_ones() -> None:
    assert [f"{positive} {negative}" for positive, negative in ANTONYM_PAIRS] == [
        "Good photo. Bad photo.",
        "Sharp image. Blurry image.",
        "Sharp edges. Blurry edges.",
        "High-resolution image. Low-resolution image.",
        "Noise-free image. Noisy image.",
        "High-quality image. Low-quality image.",
        "Good picture. Bad picture.",
    ]


def test_the_grades_rise_from_bad_to_perfect() -> None:
    assert GRADED_PROMPTS == (
        "a photo with bad quality",
        "a photo with poor quality",
        "a photo with fair quality",
        "a photo with good quality",
        "a photo with perfect quality",
    )


def test_every_attribute_of_the_student_has_a_pair_in_its_order() -> None:
    prompts = PromptSet()
    assert tuple(ATTRIBUTE_PAIRS) == ATTRIBUTES and len(prompts.attributes) == len(ATTRIBUTES)
    assert prompts.attributes[ATTRIBUTES.index("noise")] == ("Noise-free photo.", "Noisy photo.")


def test_all_texts_come_once_in_the_order_of_pairs_attributes_grades() -> None:
    texts = PromptSet().texts()
    assert len(texts) == 14 + 12 + 5
    assert texts[0] == "Good photo." and texts[1] == "Bad photo." and texts[14] == "Sharp photo."
    assert texts[-5:] == list(GRADED_PROMPTS)
