"""Tokens that show by a prefix who issued them. A maintained table: add a line, and a sample."""

import re
from typing import Final

from relay.service.redaction.shape import LONG_RUN, Shape
from relay.service.redaction.values import REDACTED

PROVIDERS: Final[dict[str, tuple[str, ...]]] = {
    "Adobe": (r"p8e-[\w-]{32}",),
    "Age": (r"AGE-SECRET-KEY-1[0-9A-Z]{40,}",),
    "Airtable": (r"pat\w{14}\.[0-9a-f]{40,}",),
    "Alibaba Cloud": (r"LTAI[A-Za-z0-9]{12,}",),
    "Anthropic": (r"sk-ant-[\w-]{20,}",),
    "Artifactory": (r"AKC[A-Za-z0-9]{30,}", r"cmVmdGtu[A-Za-z0-9]{40,}"),
    "Asana": (r"[12]/\d{10,}(?:/\d{10,})?:[0-9a-f]{32}",),
    "Atlassian": (r"AT(?:ATT|CTT|BB|STT)[\w=-]{20,}",),
    # The secret follows its id, after a separator and perhaps a name.
    "AWS": (
        (
            r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?:[\s\"',:;=/|]{1,8}(?:[A-Za-z_]{3,32}"
            r"[\s\"':=]{1,6})?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=]))?"
        ),
    ),
    "Azure": (r"[\w~.-]{3}\dQ~[\w~.-]{24,}",),
    "Buildkite": (r"bk[a-z]{1,2}_[A-Za-z0-9]{30,}",),
    "Ceph": (r"AQ[A-Za-z0-9+/]{34,38}==",),
    "CircleCI": (r"CCI(?:PAT|PRJ)_\w{20,}",),
    "Clojars": (r"CLOJARS_[0-9a-f]{40,}",),
    "Cloudflare": (r"v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}", r"cf(?:ut|at|k)_[A-Za-z0-9]{32,}"),
    "Contentful": (r"CFPAT-[\w-]{30,}",),
    "crates.io": (r"cio[A-Za-z0-9]{32}(?!\w)",),
    "Databricks": (r"dapi[0-9a-f]{32}(?:-\d)?",),
    "DigitalOcean": (r"do[oprt]_v1_[0-9a-f]{32,}",),
    "Discord": (
        r"[MNO][\w-]{22,27}\.[\w-]{6}\.[\w-]{27,}",
        r"discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d+/[\w-]{20,}",
    ),
    "Docker": (r"dckr_(?:pat|oat)_[\w-]{20,}",),
    "Doppler": (r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{30,}",),
    "Dropbox": (r"sl\.(?:u\.)?[\w-]{60,}",),
    "Dynatrace": (r"dt0[a-z]\d\d\.[A-Z0-9]{20,}\.[A-Z0-9]{40,}",),
    "EasyPost": (r"EZ[AT]K\w{40,}",),
    "Facebook": (r"EAA[A-Za-z0-9]{60,}",),
    "Figma": (r"fig[dour]_[\w-]{30,}",),
    "Fly.io": (r"fm[12][ar]?_[\w+/=-]{40,}", r"fo1_[\w-]{40,}"),
    "GitHub": (r"gh[opusr]_\w{30,}", r"github_pat_\w{30,}"),
    "GitLab": (
        r"gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|wt|soat|ffct)-[\w.-]{16,}",
        r"GR1348941[\w-]{16,}",
    ),
    "Google": (
        r"AIza[\w-]{30,}",
        r"ya29\.[\w.-]{16,}",
        r"GOCSPX-[\w-]{20,}",
        r"1//0[\w-]{30,}",
    ),
    "Grafana": (r"gl(?:sa|c)_[\w+/=]{30,}",),
    "Groq": (r"gsk_[A-Za-z0-9]{40,}",),
    "HashiCorp Vault": (r"hv[sbr]\.[\w-]{20,}", r"[sbr]\.[A-Za-z0-9]{24}(?![\w.-])"),
    "Heroku": (r"HRKU-[\w-]{30,}",),
    "Hugging Face": (r"hf_[A-Za-z0-9]{30,}", r"api_org_[A-Za-z0-9]{30,}"),
    # The first part of a JSON web token starts with {" in base64.
    "JSON web token": (r"eyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*){0,3}",),
    "Linear": (r"lin_(?:api|oauth)_\w{30,}",),
    "Mailchimp": (r"[0-9a-f]{32}-us\d{1,2}(?!\w)",),
    "Mailgun": (r"(?:key|pubkey)-[0-9a-f]{32}", r"[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}(?![\w-])"),
    "Mapbox": (r"sk\.eyJ[\w-]{20,}\.[\w-]{10,}",),
    "Microsoft Teams": (
        r"[\w.-]{1,60}\.office\.com/webhook[\w]{0,4}/[\w@-]{36,}/IncomingWebhook/\w{16,}(?:/[\w-]+)?",
    ),
    "MongoDB Atlas": (r"mdb_s[a-z]_[a-z]{2}_[\w-]{20,}",),
    "Netlify": (r"nf[a-z]_\w{36,}",),
    "New Relic": (r"NR(?:AK|II|JS|RA|AL|IQ)-[\w-]{16,}",),
    "Notion": (r"ntn_\w{40,}", r"secret_[A-Za-z0-9]{43}(?!\w)"),
    "npm": (r"npm_\w{30,}",),
    "NuGet": (r"oy2[a-z0-9]{43}(?!\w)",),
    "NVIDIA": (r"nvapi-[\w-]{40,}",),
    "OpenAI": (
        r"sk-(?:proj|svcacct|admin|None)-[\w-]{20,}",
        r"sk-[A-Za-z0-9]{32,}",
        r"sk-or-(?:v\d-)?[0-9a-f]{32,}",
        r"sess-[A-Za-z0-9]{32,}",
    ),
    "OpenShift": (r"sha256~[\w-]{20,}",),
    "Perplexity": (r"pplx-[A-Za-z0-9]{32,}",),
    "PlanetScale": (r"pscale_(?:tkn|pw|oauth)_[\w.=-]{30,}",),
    "PostHog": (r"phx_\w{32,}",),
    "Postman": (r"PMAK-[0-9a-f]{24}-[0-9a-f]{30,}",),
    "Prefect": (r"pn[bu]_\w{30,}",),
    "Pulumi": (r"pul-[0-9a-f]{40}",),
    "PyPI": (r"pypi-[\w-]{30,}",),
    "Rancher": (r"token-[a-z0-9]{5}:[a-z0-9]{40,}",),
    "Replicate": (r"r8_\w{30,}",),
    "RubyGems": (r"rubygems_[0-9a-f]{40,}",),
    "SendGrid": (r"SG\.[\w-]{16,}\.[\w-]{16,}",),
    "Sendinblue": (r"xkeysib-[0-9a-f]{40,}(?:-\w+)?",),
    "Sentry": (r"sntry[su]_[\w+/=]{30,}",),
    "Shopify": (r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",),
    "Slack": (
        r"xox[a-z](?:\.xox[a-z])?-[\w-]{10,}",
        r"xapp-\d-[\w-]{20,}",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[\w/+-]{20,}",
    ),
    "Square": (r"sq0[a-z]{3}-[\w-]{20,}",),
    "Stripe": (r"(?:sk|rk)_(?:live|test|prod)_\w{16,}", r"whsec_[\w+/=]{24,}"),
    "Supabase": (r"sb[a-z]_(?:secret_)?[\w-]{30,}", r"sb_secret_[\w-]{20,}"),
    "Tailscale": (r"tskey-[\w-]{20,}",),
    "Telegram": (r"(?:bot)?\d{8,10}:AA[\w-]{32,34}(?![\w-])",),
    "Terraform": (r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{40,}",),
    # The token of an account has no form of its own, so only one beside the account's id.
    "Twilio": (r"SK[0-9a-f]{32}", r"AC[0-9a-f]{32}[\s\"',:;=/|]{1,6}[0-9a-f]{32}"),
    "Typeform": (r"tfp_[\w-]{40,}",),
    "xAI": (r"xai-[\w-]{40,}",),
    "Yandex": (r"(?:t1\.[\w=-]{30,}\.[\w=-]{60,}|y[0-6]_[\w-]{50,}|AQVN[\w-]{30,})",),
    "Zapier": (r"hooks\.zapier\.com/hooks/catch/\d+/\w+",),
}
"""By provider, the patterns of what it issues; none is preceded by a letter or a digit."""

# Tokens with separators inside may lack a long run, so their prefixes are hints as well.
HINTS: Final = (LONG_RUN, "glpat-", "xox", "xapp-", "sha256~")

PROVIDER_SHAPES: Final = (
    Shape(
        HINTS,
        re.compile(
            "(?<![A-Za-z0-9])(?:" + "|".join(p for ps in PROVIDERS.values() for p in ps) + ")",
            re.ASCII,
        ),
        REDACTED,
    ),
    # A hash of crypt(3): good enough to guess the password from.
    Shape(
        ("$",),
        re.compile(
            r"(?<![\w$])\$(?:1|2[abxy]?|5|6|7|y|gy|apr1|sha1|pbkdf2[\w-]{0,12}|scrypt|argon2i?d?)"
            r"\$[\w./$=,+-]{20,}",
            re.ASCII,
        ),
        REDACTED,
    ),
    # The same as LDAP and htpasswd write it.
    Shape(
        ("sha", "md5"), re.compile(r"(?i)\{S?(?:SHA\d{0,3}|MD5)\}[A-Z0-9+/]{16,}={0,2}"), REDACTED
    ),
    Shape(
        ("$", "grub", LONG_RUN),
        re.compile(
            r"(?:grub\.pbkdf2\.sha\d{3}\.\d{1,9}\.|pbkdf2_?[:\w]{0,16}\$|scrypt:[\d:]{3,20}\$|SCRAM-SHA-\d+\$)[\w./$=,+:-]{20,}"
        ),
        REDACTED,
    ),
)
