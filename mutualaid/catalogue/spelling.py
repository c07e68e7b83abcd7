"""Chinese as it is typed with latin letters: by its initials (布洛芬: blf) or by its syllables (buluofen). Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

Readings = Mapping[str, Sequence[str]]  # the ways a character is read, without tones

_FEWEST: Final = 2  # one letter begins some syllable of half the catalogue
_APART: Final = re.compile("[^0-9a-z]")


def spells(typed: str, text: str, readings: Readings) -> bool:
    """Whether `typed` says some part of `text` (both made by `search_key`), any reading of each character being right.

    By initials: one letter for each character, from anywhere on (blf, n95kz, kz). By syllables: whole ones, from anywhere
    on, of which the last may be unfinished (buluofen, kouz). Letters and digits of the text stand for themselves.
    """
    letters = _APART.sub("", typed)
    if len(letters) < _FEWEST or not typed.isascii():
        return False
    sounds = [found for character in text if (found := _sounds(character, readings))]
    return any(_by_initials(letters, sounds[n:]) or _by_syllables(letters, sounds[n:]) for n in range(len(sounds)))


def _sounds(character: str, readings: Readings) -> Sequence[str]:
    return (character,) if character.isascii() and character.isalnum() else readings.get(character, ())


def _by_initials(letters: str, sounds: Sequence[Sequence[str]]) -> bool:
    # what is longer than the text is no part of it
    return len(letters) <= len(sounds) and all(
        any(sound.startswith(letter) for sound in each) for letter, each in zip(letters, sounds, strict=False)
    )


def _by_syllables(letters: str, sounds: Sequence[Sequence[str]]) -> bool:
    said = {0}  # how many letters may be said by now: readings differ in length
    for each in sounds:
        if any(done and sound.startswith(letters[done:]) for done in said for sound in each):
            return True
        said = {done + len(sound) for done in said for sound in each if letters.startswith(sound, done)}
        if not said:
            return False
    return len(letters) in said
