"""Words of names of secrets, and words that speak about a secret. Maintained by hand."""

from typing import Final


def listed(words: str) -> frozenset[str]:
    """Return the words of a text; so a long list stays readable."""
    return frozenset(words.split())


PASSWORD_STEMS: Final = ("password", "passwd", "passphrase", "passcode", "passwort", "kennwort")
"""Also inside of a longer word, as in "dbpassword"."""

STEMS: Final = (
    "secret",
    "token",
    "credential",
    "cookie",
    "authorization",
    "kubeconfig",
    "dockerconfig",
    "dockercfg",
    "privatekey",
    "apikey",
    "accesskey",
    "signingkey",
    "encryptionkey",
)
"""The same; the value may also be the path or the name of an object that holds the secret."""

PASSWORD_ENDINGS: Final = ("pass", "pwd", "pw", "psk", "requirepass")
ENDINGS: Final = ("creds", "cred", "otp", "totp", "jwt", "bearer", "auths", "htpasswd", "sessid")
"""Too short to be looked for inside of a word, so only at the end of a name."""

ENDS_LIKE_PASS: Final = listed("bypass compass encompass surpass trespass overpass underpass")
PASSES: Final = listed(
    "all band by dry final first high last low multi one second single test third two"
)
"""Words of what is passed, or counted, before "pass"."""

SECRET_WHOLE: Final = listed(
    "auth secretid vaultsecretid appsecretid jsessionid phpsessid aspnetsessionid "
    "communitystring snmpcommunity snmpcommunitystring rocommunity rwcommunity snmprocommunity "
    "snmprwcommunity"
)
"""Secret although they end like something else."""

COMMUNITIES: Final = listed("snmp ro rw read write readonly readwrite trap")
"""Kinds of communities that are the password of SNMP."""

DATES_WHOLE: Final = listed(
    "lastpasswordchange passwordlastchange lastpwdchange pwdlastchange lastsecretchange "
    "lasttokenchange lastcredentialchange lastcredentialschange lastkeychange"
)
"""Names of the time at which a secret was changed; other changes hold the secret itself."""

NAMED_WHOLE: Final = listed("imagepullsecret imagepullsecrets")
"""Names of fields that always name the object that holds the secret."""

SECRET_KEYS: Final = listed(
    "access account admin aes api app auth ca client crypto data decryption deploy des device "
    "ecdsa ed25519 encryption etcd fernet gpg hash hmac integration jwt kms kubelet ldap licence "
    "license luks mac master pre preshared priv private rsa sealing secret server service session "
    "shared sign signature signing ssl ssn storage stream subscription symmetric tls unseal vault "
    "webhook wg wireguard wpa"
)
"""Kinds of keys that are secret."""

PUBLIC_KEYS: Final = listed(
    "annotation authorized base by cache candidate column composite compound config context dedup "
    "deduplication dict domain dynamo event field foreign group host hot idempotency index issue "
    "join json keyboard known label last lease locale lock lookup map message metric natural next "
    "object option order parent part partition path primary project property pub public query "
    "range record resource reverse routing row s3 sample scope search selector shard sort sorting "
    "ssh state surrogate tag taint template topology translation trusted unique verification "
    "verify"
)
"""Kinds of keys that anybody may see; "ssh_key" and "sshKey" are public by custom."""

ABOUT: Final = listed(
    "absent accepted age alg algo algorithm allowed at attempts audience available before bits "
    "bucket budget by bytes cache changed characters charset check checks class "
    "complexity configured count counts created date days deleted description dir directory "
    "disabled domain enabled encoding endpoint endpoints error errors exists expiration expire "
    "expired expires expiry failed failure failures field fields file filename files fingerprint "
    "folder for format found getter go granted group handler header headers hint hours httponly id "
    "identifier ids idx in index interval invalid issued issuer items java js kind label labels "
    "last leeway len length lengths level lifetime limit limits link list location lookup manager "
    "max message messages method methods min minutes missing mode modified mount ms name names "
    "namespace needed note number on operator operators optional options order overlap owner page "
    "path paths pattern permissions placeholder policies policy position prefix present processed "
    "prompt prompts provided provider providers purpose py quota rate rb reader readers ready "
    "reason ref reference references refs regex remaining required requirement requirements reset "
    "resets retries review reviews revision revoked role rotated rotation rs rule rules samesite "
    "schema scope scopes seconds section secure service services set setup since size sizes source "
    "sources spec stage state status store stores strategy strength style suffix supported tag "
    "template test time timeout timestamp title ts ttl type types unit until updated uri url urls "
    "usage used user username users valid validation validations validator validity verified "
    "version versions via volume volumes warning window"
)
"""The last word of a name that tells something of a secret, and is none."""

ABOUT_FIRST: Final = listed(
    "allow allowed allows avg can check completion count disable do does enable expired expires "
    "had has have input invalid is manage max maximum mean min minimum missing must n need needs "
    "no num number output prompt rate remaining require required requires should skip supports "
    "total uses valid validate verify was with without"
)
"""The first word of such a name: "has_password", "max_tokens"."""

CARRIERS: Final = listed(
    "b64 base64 blob bytes64 clear cleartext confirm confirmation content contents data decoded "
    "enc encoded encrypted env hash hashed json new old orig plain plaintext previous raw str "
    "string text tmp val value values var yaml yml"
)
"""The last word of a name that says how the secret is written."""

TAILS_OF_OTHER_WORDS: Final = listed(
    "arial ariat ary cutter iat ion isation ise ised iser ism ive ively ization ize ized izer "
    "izers izes less lessly"
)
"""Endings that make another word of a stem: "tokenizer", "passwordless", "secretary"."""

STATES: Final = listed(
    "a absent accepted access again all already an and any are as asn1 at authentication "
    "authorization back bad base64 be been before between blank but by can can't cannot "
    "certificate changed check choose client code configured connection contains context could "
    "couldn't created data deleted denied dial did didn't disabled dns does doesn't duplicate "
    "either empty enabled enter eof error errors exists exit expected expired fail failed failing "
    "failure false fetching file for forbidden format found from get given got grant granted had "
    "has have header host http http2 i/o id ignored illegal in incorrect insufficient internal "
    "invalid is isn't it it's its json key length less long longer lookup malformed match maximum "
    "minimum mismatch missing more must name need needs net/http never no none nonexistent not "
    "null of ok old on only open or parse parsing pending permission please post present provide "
    "provided put read received refused rejected remote request required reset resource retry "
    "revoked rotated rpc secret secrets server set shall short shorter should signature skipped "
    "some stat status store stored success successful successfully syntax than that the this "
    "timed timeout tls to token tokens too true try type unable unauthenticated unauthorized "
    "undefined unexpected unknown unmarshal unreachable unset unsupported until updated use used "
    "user uses using valid value values was wasn't were when which will with without won't write "
    "wrong x509 yaml yes you your"
)
"""Ways a sentence about a secret goes on after its colon: "token: expired", "secret: not found"."""
