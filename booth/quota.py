"""How long a signed-in visitor may still use the GPU that a Space lends. Asks Hugging Face, nobody else.

The address and the `read-billing` that a token must allow are those of huggingface_hub 2.4
(`get_zero_gpu_quota`), which would wait for an answer without end.
"""

TIMEOUT_S = 2.0


def remaining_seconds(token: str, endpoint: str | None = None) -> int | None:
    """Seconds of GPU that the token's owner may still use; None when that is not known.

    `endpoint` is the Hub's address (None: the one that huggingface_hub uses).
    """
    import httpx2
    from huggingface_hub import constants
    from huggingface_hub.utils import build_hf_headers, get_session

    address = f"{endpoint or constants.ENDPOINT}/api/spaces/zero-gpu/quota"
    try:
        answer = get_session().get(address, headers=build_hf_headers(token=token), timeout=TIMEOUT_S)
        return max(0, int(answer.raise_for_status().json()["current"]))
    except (httpx2.HTTPError, OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError):
        return None
