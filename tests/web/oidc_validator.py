"""What the identity provider of ``oidc_provider`` takes and says: one way of showing the client's secret, one ``amr``."""

from typing import Any

from django.conf import settings
from oauth2_provider.oauth2_validators import OAuth2Validator


class Validator(OAuth2Validator):
    """Takes the secret of a client by ``settings.SECRET_BY`` alone, and says ``settings.AMR`` in its tokens."""

    oidc_claim_scope = None  # else the toolkit says claims of its own scopes alone

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        del request
        return {"amr": settings.AMR}

    def _authenticate_basic_auth(self, request: Any) -> bool:
        taken = settings.SECRET_BY == "client_secret_basic"
        return taken and super()._authenticate_basic_auth(request)

    def _authenticate_request_body(self, request: Any) -> bool:
        taken = settings.SECRET_BY == "client_secret_post"
        return taken and super()._authenticate_request_body(request)
