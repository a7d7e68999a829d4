"""Whether a link may do what it asks (Vol 3, Part C, 10.3.1; Part F, 3.2.5)."""

from bletest.att.access import Access, LinkSecurity
from bletest.att.codes import ErrorCode


def refusal(access: Access, security: LinkSecurity) -> ErrorCode | None:
    """Return the error code that a link of this security is refused with, None if it may.

    Without encryption it depends on what a client can do about it: 0x0F where a key is stored
    and only has to be used, 0x05 where there is none. On an encrypted link 0x05 says that the
    pairing was too weak, 0x0C that the key is too short. Authorization is asked for last, of
    those who passed everything else.
    """
    if access.encrypted or access.authenticated or access.secure_connections:
        if not security.encrypted:
            if security.bonded:
                return ErrorCode.INSUFFICIENT_ENCRYPTION
            return ErrorCode.INSUFFICIENT_AUTHENTICATION
        if (access.authenticated and not security.authenticated) or (
            access.secure_connections and not security.secure_connections
        ):
            return ErrorCode.INSUFFICIENT_AUTHENTICATION
        if security.key_size < access.key_size:
            return ErrorCode.ENCRYPTION_KEY_SIZE_TOO_SHORT
    if access.authorized and not (security.authorized and _is_fresh(access, security)):
        return ErrorCode.INSUFFICIENT_AUTHORIZATION
    return None


def _is_fresh(access: Access, security: LinkSecurity) -> bool:
    if access.fresh is None:
        return True
    return security.consent_age is not None and security.consent_age() <= access.fresh
