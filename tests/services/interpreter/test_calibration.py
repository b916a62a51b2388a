"""What a confidence is computed from."""

from llmasos.services.interpreter import calibration
from llmasos.services.interpreter.decoding import Decoded

CERTAIN, UNSURE = Decoded((), 1.0, 1.0), Decoded((), 0.1, 0.4)


def test_the_surer_the_text_the_higher_the_confidence() -> None:
    for confidence in (calibration.of_catalogue, calibration.of_tools):
        assert 0.85 < confidence(CERTAIN) < 1
        assert 0 < confidence(UNSURE) < 0.5
        likelihoods = [confidence(Decoded((), p, 0.9)) for p in (0.05, 0.2, 0.5, 0.8, 0.9)]
        assert likelihoods == sorted(likelihoods)


def test_what_could_not_be_is_no_crash() -> None:
    assert calibration.of_catalogue(Decoded((), 0.0, 0.0)) < 0.01
