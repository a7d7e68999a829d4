from itertools import product

import pytest

from bletest.att.access import AUTHENTICATED, ENCRYPTED, OPEN, Access, LinkSecurity
from bletest.att.security import refusal

PLAIN = LinkSecurity()
STORED_KEY = LinkSecurity(bonded=True)
JUST_WORKS = LinkSecurity(encrypted=True, bonded=True, key_size=16)
PASSKEY = LinkSecurity(encrypted=True, authenticated=True, bonded=True, key_size=16)
BEST = LinkSecurity(
    encrypted=True, authenticated=True, secure_connections=True, bonded=True, key_size=16
)
SC_ONLY = Access(secure_connections=True)


@pytest.mark.parametrize(
    ("access", "security", "code"),
    [
        (OPEN, PLAIN, None),
        (ENCRYPTED, PLAIN, 0x05),
        (ENCRYPTED, STORED_KEY, 0x0F),
        (ENCRYPTED, JUST_WORKS, None),
        (AUTHENTICATED, PLAIN, 0x05),
        (AUTHENTICATED, STORED_KEY, 0x0F),
        (AUTHENTICATED, JUST_WORKS, 0x05),
        (AUTHENTICATED, PASSKEY, None),
        (SC_ONLY, PLAIN, 0x05),
        (SC_ONLY, PASSKEY, 0x05),
        (SC_ONLY, BEST, None),
        (Access(encrypted=True, key_size=16), LinkSecurity(encrypted=True, key_size=15), 0x0C),
        (Access(encrypted=True, key_size=15), LinkSecurity(encrypted=True, key_size=15), None),
        (Access(authorized=True), PLAIN, 0x08),
        (Access(authorized=True), LinkSecurity(authorized=True), None),
        (Access(encrypted=True, authorized=True), PLAIN, 0x05),
        (Access(encrypted=True, authorized=True, key_size=16), JUST_WORKS, 0x08),
        (Access(encrypted=True, authenticated=True, key_size=16), JUST_WORKS, 0x05),
    ],
)
def test_what_is_missing_decides_the_code(access, security, code):
    assert refusal(access, security) == code


def test_more_security_never_takes_a_right_away():
    flags = [False, True]
    for encrypted, authenticated, authorized, size in product(flags, flags, flags, (7, 16)):
        access = Access(encrypted, authenticated, False, authorized, size)
        best = LinkSecurity(True, True, True, True, True, 16)
        assert refusal(access, best) is None
        assert (refusal(access, PLAIN) is None) == access.open


@pytest.mark.parametrize(("age", "code"), [(None, 0x08), (0.0, None), (30.0, None), (30.001, 0x08)])
def test_a_consent_can_be_too_old(age, code):
    security = LinkSecurity(authorized=True, consent_age=None if age is None else lambda: age)
    assert refusal(Access(authorized=True, fresh=30.0), security) == code
    assert refusal(Access(authorized=True), security) is None
    security.authorized = False
    assert refusal(Access(authorized=True, fresh=30.0), security) == 0x08


def test_an_access_says_what_it_asks():
    assert str(Access(authorized=True, fresh=30.0)) == "authorized within 30 s"
    assert str(Access(encrypted=True, authorized=True)) == "encrypted, authorized"


def test_an_access_that_asks_for_secure_connections_is_not_open():
    assert not SC_ONLY.open
