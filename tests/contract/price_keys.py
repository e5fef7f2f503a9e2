"""Every price key that the documentation and the recordings of each provider know, and what this program makes of it.

A key is the way to it in a row: `pricing.overrides[].prompt`. Where the value says which price it is (a SKU, a unit word), the value
belongs to the key: `prices[].prices[].type=input_token`. `*` stands for any names. Each is tried: its value is put into the base row.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple


class Claim(Enum):
    READ = "changes a price, a tier, or when one holds"
    IGNORED = "is kept as received and paid by no call"
    REPORTED = "makes the price incomplete"
    NO_PRICE = "is no price, or one that is stated elsewhere too"


class Key(NamedTuple):
    claim: Claim
    value: Any
    why: str = ""


def read(value: Any) -> Key:
    return Key(Claim.READ, value)


def ignored(value: Any, why: str) -> Key:
    return Key(Claim.IGNORED, value, why)


def reported(value: Any, why: str = "nothing says its unit, or when it is paid") -> Key:
    return Key(Claim.REPORTED, value, why)


def no_price(value: Any, why: str) -> Key:
    return Key(Claim.NO_PRICE, value, why)


class Census(NamedTuple):
    """The keys of one list. `values` are the ways to values that belong to the key; `files` recordings, with the way to their rows."""

    base: dict[str, Any]
    keys: Mapping[str, Key]
    values: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


TEXT = {"output_modalities": ["text"]}
CONDITION = "says when the price holds, or what it is for"


def sku(name: str, unit: str = "1M tokens", currency: str = "USD") -> dict[str, Any]:
    amount = {"currencyCode": currency, "units": "2"}
    return {"serverlessModes": [{"name": "x/default", "skuInfos": [{"sku": name, "unit": unit, "amount": amount}]}]}


def alibaba(kind: str, unit: str = "per 1M tokens", **more: Any) -> dict[str, Any]:
    return {"prices": [{"range_name": "", "prices": [{"type": kind, "price": "3", "price_unit": unit, **more}]}]}


(PLAIN,) = sku("LLM input tokens (uncached)")["serverlessModes"]
(HOURLY,) = sku("Something per hour", "hour")["serverlessModes"]
PER_TOKEN_TYPES = (
    *("thinking_input_token", "embedding_token", "text_input_token", "input_token", "text_output_token", "output_token"),
    *("thinking_output_token", "text_input_token_cache", "input_token_cache", "input_token_cache_read", "input_token_cache_creation_5m"),
    *("input_token_cache_creation_1h", "vision_input_token", "audio_input_token", "audio_output_token", "audio_input_token_cache"),
)
NOVITA = ("prompt", "completion", "input_cache_read", "input_cache_write")
BRACKET = "tiered_billing_configs[].pricing"
HELICONE_TOKENS = ("prompt", "completion", "cacheRead", "cacheWrite", "thinking", "internal_reasoning")
HELICONE_OTHERS = ("image", "audio", "video")
DERIVED = "the server makes endpoints[].pricing of it"
TICKS = ("prompt_text_token_price", "completion_text_token_price", "cached_prompt_text_token_price")

CENSUS: dict[tuple[str, str], Census] = {
    ("aihubmix", "models"): Census(
        {"model_id": "m", "types": "llm", "pricing": {"input": 1}},
        {f"pricing.{name}": read(2) for name in ("input", "output", "cache_read", "cache_write")},
        files=(("aihubmix--docs-example.json", "data"),),
    ),
    ("aimo", "models"): Census(
        {"name": "m", "providers": [{"id": "a", "pricing": {}}]},
        {f"providers[].pricing.{name}": reported(2, "no unit is known") for name in ("prompt", "completion")},
    ),
    ("alibaba", "models"): Census(
        {"model": "m", "prices": [{"range_name": "", "prices": [{"type": "input_token", "price": "1", "price_unit": "per 1M tokens"}]}]},
        {f"prices[].prices[].type={kind}": read(alibaba(kind)) for kind in PER_TOKEN_TYPES}
        | {
            "prices[].prices[].type=image_number": read(alibaba("image_number", "per image")),
            "prices[].prices[].type=content_duration": read(alibaba("content_duration", "per second")),
            "prices[].prices[].type=cosy_tts_number": reported(alibaba("cosy_tts_number", "per 10K characters")),
            "prices[].prices[].type=omni_input_token": reported(alibaba("omni_input_token"), "omni is no kind of input"),
            "prices[].prices[].time_band=standard": read(alibaba("input_token", time_band="standard")),
            "prices[].prices[].time_band=busy": reported(alibaba("input_token", time_band="busy"), "nothing says when it is busy"),
            "prices[].prices[].time_band=idle": reported(alibaba("input_token", time_band="idle"), "nothing says when it is idle"),
            "prices[].prices[].price": read("3"),
            "prices[].prices[].price_unit": reported("per 1K tokens", "in another unit than its type's"),
            "prices[].prices[].price_name": no_price("Input", "a title"),
            "prices[].range_name": read("32k<Token<=128k"),
        },
        values=("prices[].prices[].type", "prices[].prices[].time_band"),
    ),
    ("anannas", "models"): Census(
        {"id": "m", "capabilities": ["text"], "pricing": {"prompt": "0.000001"}},
        {f"pricing.{name}": read("0.000002") for name in ("prompt", "completion", "request")}
        | {f"pricing.{name}": reported(2, "no unit is known") for name in ("input", "output")},
        files=(("anannas--docs-example.json", "data"),),
    ),
    ("cerebras", "models"): Census(
        {"id": "m", "pricing": {"prompt": "0.000001"}},
        {f"pricing.{name}": read("0.000002") for name in ("prompt", "completion")}
        | {f"pricing.{name}": reported("0.000002") for name in ("image", "request", "input_cache_read", "input_cache_write")},
        files=(("cerebras-public--docs-example.json", "data"), ("cerebras-keyed--2025-09-11.json", "data")),
    ),
    ("chutes", "models"): Census(
        {"id": "m", "pricing": {"prompt": 1}},
        {f"pricing.{name}": read(2) for name in ("prompt", "completion", "input_cache_read")}
        | {"price.*": no_price({"price": {"input": {"usd": 2, "tao": 1}}}, "`pricing` again, and in TAO, which follows an exchange rate")},
        files=(("chutes-daily/*.json", "data"),),
    ),
    ("deepinfra", "models"): Census(
        {"id": "m", "metadata": {"pricing": {"input_tokens": 1}}},
        {f"metadata.pricing.{name}": read(2) for name in ("input_tokens", "output_tokens", "cache_read_tokens")},
        files=(("deepinfra-openai-models--2026-02-23.json", "data"),),
    ),
    ("deepinfra", "details"): Census(
        {"model_name": "m", "pricing": {"type": "tokens"}},
        {
            **{f"pricing.cents_per_{unit}": read(0.0002) for unit in ("output_token", "sec", "input_sec", "output_sec", "input_chars")},
            "pricing.cents_per_input_token": no_price(0.0002, "the model list has the same price"),
            "pricing.cents_per_image_unit": read(3),
            "pricing.rate_per_input_token_cached": read(0.2),
            "pricing.rate_per_input_token_cache_write": read(1.25),
            "pricing.rate_per_flex": reported(0.5, "of another way to call"),
            "pricing.rate_per_service_tier_priority": reported(1.5, "of another way to call"),
            "pricing.rate_per_service_tier_flex": reported(0.8, "of another way to call"),
            "pricing.discount": reported(0.2, "nothing says whether the price has it in"),
            "pricing.discount_ends_at": no_price("2026-12-01", "a time"),
            "pricing.default_price_cents": reported(3),
            "pricing.table": reported([{"above": 32000, "input": 0.9}], "tiers of no known shape"),
            "pricing.full": reported("$1 in <= 32K", "tiers in words"),
            **{f"pricing.{name}": no_price(1024, "how large a picture is") for name in ("default_width", "default_height")},
            "pricing.default_iterations": no_price(25, "how a picture is made"),
            "pricing.usage_from_cost": no_price(True, "how usage is counted"),
            "pricing.short": no_price("$1 / 1M", "the price in words"),
            "pricing.type": no_price("input_tokens", CONDITION),
            "pricing.cents_per_sec, of type uptime": ignored(
                {"pricing": {"type": "uptime", "cents_per_sec": 0.1}}, "of a deployment of one's own"
            ),
            "pricing.full, without bounds": ignored({"pricing": {"full": "$1 in"}}, "the price in words"),
        },
        files=(("deepinfra-models-list--quoted-items.json", ""),),
    ),
    ("fal", "prices"): Census(
        {"endpoint_id": "m", "unit_price": 1, "unit": "images", "currency": "USD"},
        {
            "unit_price": read(2),
            "currency": reported("EUR", "no dollars"),
            **{
                f"unit={word}{end}": read({"unit": f"{word}{end}", "unit_price": 2})
                for word in ("image", "megapixel", "video", "second", "compute second", "minute", "1000 character", "character")
                for end in ("", "s")
            },
            "unit=compute_seconds": read({"unit": "compute_seconds"}),
            "unit=units": reported({"unit": "units"}, "of nobody knows what"),
        },
        values=("unit",),
        files=(("fal--docs-sample-v1-models-pricing.json", "prices"),),
    ),
    ("featherless", "models"): Census({"id": "m"}, {}, files=(("featherless--2026-04.json", "data"),)),
    ("fireworks", "models"): Census(
        {"name": "m", "supportsServerless": True, **sku("LLM input tokens (uncached)")},
        {
            "serverlessModes[].skuInfos[].sku=LLM input tokens (uncached)": read(
                {"serverlessModes": [{"skuInfos": [{"amount": {"units": "4"}}]}]}
            ),
            "serverlessModes[].skuInfos[].sku=LLM input tokens (cached)": read(sku("LLM input tokens (cached)")),
            "serverlessModes[].skuInfos[].sku=LLM output tokens": read(sku("LLM output tokens")),
            "serverlessModes[].skuInfos[].sku=LLM batch tokens": reported(sku("LLM batch tokens"), "of another way to call"),
            "serverlessModes[].skuInfos[].sku=Something per hour": ignored(
                {"serverlessModes": [PLAIN | {"skuInfos": [*PLAIN["skuInfos"], *HOURLY["skuInfos"]]}]}, "of a deployment of one's own"
            ),
            "serverlessModes[].skuInfos[].unit": read("1K tokens"),
            "serverlessModes[].skuInfos[].amount.units": read("4"),
            "serverlessModes[].skuInfos[].amount.nanos": read(500_000_000),
            "serverlessModes[].skuInfos[].amount.currencyCode": reported("EUR", "no dollars"),
        },
        values=("serverlessModes[].skuInfos[].sku",),
        files=(("fireworks-accounts--handmade.json", "models"), ("fireworks-inference--quoted-items.json", "data")),
    ),
    ("google-vertex", "models"): Census({"name": "publishers/google/models/m"}, {}),
    ("groq", "models"): Census(
        {"id": "m", **TEXT, "pricing": {"prompt": "0.000001"}},
        {f"pricing.{name}": read("0.000002") for name in ("prompt", "completion", "request")}
        | {"pricing.image": reported("0.02"), "pricing.input": reported(2), "pricing.cents_per_input_token": reported(2)},
        files=(("groq--2025-09-11.json", "data"), ("groq--2025-10.json", "data")),
    ),
    ("helicone", "models"): Census(
        {
            "id": "m",
            "outputModalities": ["text"],
            "endpoints": [{"provider": "a", "pricing": {"prompt": 1}, "pricingTiers": [{"threshold": 9}], "endpoint": {"pricing": [{}]}}],
        },
        {
            **{f"endpoints[].pricing.{name}": read(2) for name in HELICONE_TOKENS},
            **{f"endpoints[].pricing.{name}": reported(2, "multiplied by a million") for name in (*HELICONE_OTHERS, "web_search")},
            **{f"endpoints[].pricingTiers[].{name}": read(2) for name in HELICONE_TOKENS},
            **{f"endpoints[].pricingTiers[].{name}": reported(2, "multiplied by a million") for name in (*HELICONE_OTHERS, "web_search")},
            "endpoints[].pricingTiers[].threshold": read({"endpoints": [{"pricingTiers": [{"threshold": 50, "prompt": 2}]}]}),
            "endpoints[].endpoint.pricing[].web_search": read(0.01),
            "endpoints[].endpoint.pricing[].cacheMultipliers.write1h": reported(2, "left out of the server's own price"),
            **{
                f"endpoints[].endpoint.pricing[].{name}": no_price(0.1, DERIVED)
                for name in (*("input", "output", "image", "audio", "video", "threshold"), *("thinking", "request"))
            },
            **{f"endpoints[].endpoint.pricing[].cacheMultipliers.{name}": no_price(2, DERIVED) for name in ("cachedInput", "write5m")},
        },
    ),
    ("huggingface", "models"): Census(
        {"id": "m", "architecture": TEXT, "providers": [{"provider": "a", "status": "live", "pricing": {"input": 1}}]},
        {f"providers[].pricing.{name}": read(2) for name in ("input", "output")},
        files=(("huggingface-router--docs-example.json", "data"),),
    ),
    ("huggingface", "hub"): Census({"id": "m"}, {}, files=(("huggingface-hub--2024-12.json", ""),)),
    ("near", "models"): Census(
        {
            "modelId": "m",
            **{
                name: {"amount": 150, "scale": 9, "currency": "USD"}
                for name in ("inputCostPerToken", "outputCostPerToken", "costPerImage", "cacheReadCostPerToken")
            },
            "textPricing": {
                "version": 1,
                "currency": "USD",
                "unit": "million_tokens",
                "longContextThreshold": 9,
                "tiers": {"default": {"long": {"output": "7"}}},
            },
        },
        {
            **{f"{name}CostPerToken.amount": read(200) for name in ("input", "output", "cacheRead")},
            **{f"{name}CostPerToken.scale": read(10) for name in ("input", "output", "cacheRead")},
            **{f"{name}CostPerToken.currency": reported("EUR", "no dollars") for name in ("input", "output", "cacheRead")},
            "costPerImage.amount": read(200),
            "costPerImage.scale": read(10),
            "costPerImage.currency": reported("EUR", "no dollars"),
            "textPricing.version": reported(2, "of unknown meaning"),
            "textPricing.currency": reported("EUR", "no dollars"),
            "textPricing.unit": reported("thousand_tokens", "another unit than documented"),
            "textPricing.longContextThreshold": read(50),
            **{
                f"textPricing.tiers.default.{length}.{name}": read("3")
                for length in ("short", "long")
                for name in ("uncachedInput", "output", "cachedInput", "cacheWrite")
            },
            **{
                f"textPricing.tiers.{way}.*": reported(
                    {"textPricing": {"tiers": {way: {"short": {"output": "3"}}}}}, "of another way to call"
                )
                for way in ("flex", "priority")
            },
        },
        files=(("near--constructed-model-list.json", "models"),),
    ),
    ("nebius", "models"): Census(
        {"id": "m", "architecture": {"modality": "text->text"}, "pricing": {"prompt": "0.000001"}},
        {f"pricing.{name}": read("0.000002") for name in ("prompt", "completion", "image", "request")},
        files=(("nebius--reconstructed.json", "data"),),
    ),
    ("novita", "models"): Census(
        {"id": "m", "model_type": "chat", "tiered_billing_configs": [{"min_tokens": 9, "pricing": {"prompt": {"price_per_m": 5}}}]},
        {
            **{f"{name}_token_price_per_m": read(7000) for name in ("input", "output", "cached_input")},
            "cached_input_token_price_per_m.price_per_m": read(7000),
            **{f"{at}.{name}.price_per_m": read(7000) for at in ("pricing", BRACKET) for name in NOVITA},
            **{
                f"{at}.{name}.price_per_m_decimal": read({"pricing": {name: {"price_per_m_decimal": "0.7"}}})
                for at in ("pricing", BRACKET)
                for name in NOVITA
            },
            **{f"pricing.{name}.origin_price_per_m": ignored(9000, "before a discount") for name in NOVITA},
            **{f"pricing.{name}.origin_price_per_m_decimal": ignored("0.9", "before a discount") for name in NOVITA},
            "tiered_billing_configs[].min_tokens": read(50),
            "tiered_billing_configs[].max_tokens": no_price(60, "where the next bracket begins"),
            "is_tiered_billing": no_price(True, "the brackets say it"),
            "currency": reported({"currency": "IDR", "input_token_price_per_m": 7000}, "no dollars"),
        },
        files=(("novita--2024.json", "data"), ("novita--reconstructed.json", "data")),
    ),
    ("openrouter", "models"): Census(
        {
            "id": "m",
            "architecture": TEXT,
            "pricing": {"prompt": "0.000001", "overrides": [{"min_prompt_tokens": 9, "prompt": "0.000003"}]},
        },
        {
            **{
                f"pricing.{name}": read("0.000002")
                for name in (
                    *("prompt", "completion", "request", "image_token", "image_output", "audio", "audio_output", "input_audio_cache"),
                    *("web_search", "internal_reasoning", "input_cache_read", "input_cache_write", "input_cache_write_1h"),
                )
            },
            "pricing.image": reported("0.02", "per image on some rows, per token on others"),
            "pricing.discount": reported(0.1, "nothing says whether the price has it in"),
            **{
                f"pricing.overrides[].{name}": read("0.000002")
                for name in (
                    *("prompt", "completion", "audio", "input_audio_cache"),
                    *("input_cache_read", "input_cache_write", "input_cache_write_1h"),
                )
            },
            "pricing.overrides[].min_prompt_tokens": read(50),
            **{
                f"pricing.overrides[].{name}": read({"pricing": {"overrides": [{"utc_start": 0, "utc_end": 600}]}})
                for name in ("utc_start", "utc_end")
            },
            "pricing.overrides[].utc_days": read(["monday"]),
        },
        files=(("openrouter--2025-05-23.json", "data"), ("openrouter--2026-01-19.json", "data")),
    ),
    ("together", "models"): Census(
        {"id": "m", "type": "chat", "pricing": {"input": 1}},
        {f"pricing.{name}": read(2) for name in ("input", "output", "cached_input")}
        | {f"pricing.{name}": ignored(2, "of training, or of an endpoint of one's own") for name in ("hourly", "base", "finetune")},
        files=(("together--docs-example.json", ""), ("together--reconstructed.json", "")),
    ),
    ("vercel-ai-gateway", "models"): Census(
        {
            "id": "m",
            "type": "language",
            "pricing": {
                **{f"{name}_tiers": [{"cost": "0.000001", "min": 9}] for name in ("input", "output")},
                "video_duration_pricing": [{"cost_per_second": "0.1"}],
            },
        },
        {
            **{
                f"pricing.{name}": read("0.000002")
                for name in ("input", "output", "input_cache_read", "input_cache_write", "web_search", "image")
            },
            **{f"pricing.{name}_tiers[].cost": read("0.000002") for name in ("input", "output")},
            **{
                f"pricing.{name}_tiers[].cost": read({"pricing": {f"{name}_tiers": [{"cost": "0.000002", "min": 9}]}})
                for name in ("input_cache_read", "input_cache_write")
            },
            **{f"pricing.{name}_tiers[].{end}": read(8) for name in ("input", "output") for end in ("min", "max")},
            **{
                f"pricing.{name}_tiers[].{end}": read({"pricing": {f"{name}_tiers": [{"cost": "0.000002", "min": 9}]}})
                for name in ("input_cache_read", "input_cache_write")
                for end in ("min", "max")
            },
            "pricing.video_duration_pricing[].cost_per_second": read("0.2"),
            "pricing.video_duration_pricing[].resolution": read("720p"),
            "pricing.video_duration_pricing[].audio": read(True),
            **{f"pricing.video_token_pricing.{way}_video_input.cost_per_million_tokens": read("5") for way in ("no", "with")},
            "pricing.regional.*": reported({"pricing": {"regional": {"eu": {"input": "0.000002"}}}}, "no tier has regions"),
        },
        files=(("vercel-ai-gateway--items-2026.json", "data"),),
    ),
    ("xai", "models"): Census(
        {"id": "m", "prompt_text_token_price": 5, "long_context_threshold": 9, "prompt_text_token_price_long_context": 6},
        {
            **{name: read(2000) for name in (*TICKS, "prompt_image_token_price", "generated_image_token_price")},
            **{f"{name}_long_context": read(2000) for name in TICKS},
            "long_context_threshold": read(50),
            "image_price": read({"image_price": 200000000, "prompt_text_token_price": 0, "prompt_text_token_price_long_context": 0}),
            "search_price": read(250000000),
            "pricing[].price_per_image": read({"pricing": [{"price_per_image": 200000000}]}),
            "pricing[].quality": read({"pricing": [{"price_per_image": 200000000, "quality": "low"}]}),
            "pricing[].resolution": read({"pricing": [{"price_per_image": 200000000, "resolution": "1k"}]}),
        },
        files=(
            ("xai--docs-sample-v1-models-2025.json", "data"),
            ("xai--docs-sample-v1-models-2026.json", "data"),
            ("xai--docs-sample-language-models-2025.json", "models"),
            ("xai--docs-sample-language-models-2026.json", "models"),
            ("xai--docs-sample-image-generation-models.json", "models"),
            ("xai--docs-sample-video-generation-models.json", "models"),
        ),
    ),
}
