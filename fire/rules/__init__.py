"""The rules for those who write classes and pods, each as an attack on real daemons that fails."""

from typing import Final

from fire.case import Part
from fire.rules.credentials import CREDENTIALS
from fire.rules.places import PLACES
from fire.rules.words import WORDS

PART: Final = Part(
    "rules",
    "What a class or a pod may not do",
    "Real daemons and sockets; a trap listens where a metadata server, another's backend or a thief would, and nobody "
    "comes; the backend's calls are counted; no canary is told.",
    (*CREDENTIALS, *PLACES, *WORDS),
)
