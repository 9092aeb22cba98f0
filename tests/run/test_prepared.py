"""A package that a run lacks is an error before anything is read."""

import pytest

from cxr.errors import UserError
from cxr.run import prepared
from tests.run.conftest import prepared_run


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["engine=openvino", "augment=none"], "engine=openvino needs a package that is not installed: .* leave engine at auto"),
        (["augment=light"], "augment=light needs a package that is not installed: pip install openvino, or choose augment=none"),
        (["augment=none", "evaluation.views=8"], r"evaluation\.views=8 needs a package that is not installed"),
    ],
)
def test_lack_of_openvino_is_an_error_with_advice(overrides: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=message):
        prepared_run(*overrides)
