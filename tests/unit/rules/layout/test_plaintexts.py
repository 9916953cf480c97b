"""What is a plaintext secret and what only looks like one, in the shapes that repositories have."""

from __future__ import annotations

import base64
import time
from collections import UserString
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae.masking import shapes
from hanbae.rules.layout import plaintexts, secrets

# Put together here, so that no scanner takes this file for a leak.
AWS = "AKIA" + "Q7XW2LTR5PZK9D3M"
GITHUB = "ghp_" + "k3Jd8sQ0zXv7Lm2Wn5Rb9Tc4Yf6Hg1Pa0eUi"
GITLAB = "glpat-" + "xK3d9QpZ7vL2mW8nR5bT"
STRIPE = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
JWT = ".".join(
    base64.urlsafe_b64encode(part).rstrip(b"=").decode()
    for part in (b'{"alg":"HS256"}', b'{"sub":"1234567890"}', b"0123456789abcdef0123456789abcdef")
)
PEM = (
    "-----BEGIN {}PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END {}PRIVATE KEY-----\n"
)
PASSWORD = "9f-Tulpe-kiesel"
RANDOM = "q8Zt3LxW0vRn7Kp2"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"
SEALED = "AgB" + "x1Y" * 200

SECRETS = [
    (f"password: {PASSWORD}", "named", "password"),
    (f'DB_PASSWORD="{PASSWORD}"', "named", "DB_PASSWORD"),
    (f"export DB_PASSWORD={PASSWORD}", "named", "DB_PASSWORD"),
    (f"  adminPassword: '{PASSWORD}' # for now", "named", "adminPassword"),
    (f'{{"password": "{PASSWORD}", "user": "app"}}', "named", "password"),
    (f"password: |\n  {PASSWORD}\n", "named", "password"),
    (f"- name: DB_PASSWORD\n  value: {PASSWORD}\n", "named", "DB_PASSWORD"),
    (f'- name: "DB_PASSWORD"\n  value: "{PASSWORD}"\n', "named", "DB_PASSWORD"),
    (f"jwt-secret: {RANDOM}", "named", "jwt-secret"),
    ("password: harbor_registry_password", "named", "password"),
    ("password: my_pw_9f3k2", "named", "password"),
    (f"clientSecret: {RANDOM}", "named", "clientSecret"),
    (f"API_KEY={RANDOM}", "named", "API_KEY"),
    (f"accessKey2: {RANDOM}", "named", "accessKey2"),
    (f"client-key-data: {base64.b64encode(RANDOM.encode() * 4).decode()}", "named", "client-key-data"),
    (f"url: postgresql://app:{PASSWORD}@db.data:5432/auth", "url", "postgresql"),
    (f"# amqp://app:{PASSWORD}@queue/", "url", "amqp"),
    (f"url: postgresql://app:p@ss{RANDOM}@db/auth", "url", "postgresql"),
    (f"key: {AWS}", "token", "AWS"),
    (f"value: {GITHUB}", "token", "GitHub"),
    (f"value: {GITLAB}", "token", "GitLab"),
    (f"value: {STRIPE}", "token", "Stripe"),
    (f"value: {JWT}", "token", "JWT"),
    (PEM.format("", ""), "private-key", ""),
    (PEM.format("RSA ", "RSA "), "private-key", ""),
    ('{"key": "' + PEM.format("", "").replace("\n", "\\n") + '"}', "private-key", ""),
]  # fmt: skip

PLACEHOLDERS = [
    "password:",
    'password: ""',
    "password: changeme",
    "pass: another_pw",
    "pass: secret_pw",
    "password: some-password",
    "password: change-me-please",
    "password: <your password>",
    "password: your-secret-key",
    "password: xxxxxxxx",
    "password: '********'",
    "password: password",
    "password: postgres",
    "password: ${DB_PASSWORD}",
    "password: $DB_PASSWORD",
    "password: {{ .Values.db.password | quote }}",
    "password: ref+vault://kv/db#/password",
    "password: ENC[AES256_GCM,data:abc,iv:def,tag:ghi,type:str]",
    "password: /run/secrets/db",
    "passwordFile: /run/secrets/db-9f3k2",
    "passwordKey: DATABASE_PASSWORD2",
    "secretName: auth-tls-2024a",
    "existingSecret: auth-secrets-v2",
    "tlsSecret: registry-credentials",
    "clientSecret: oauth2-proxy-client",
    "imagePullSecrets:\n  - name: registry-credentials",
    "secretKeyRef:\n  name: auth-secrets\n  key: DATABASE_URL",
    "urlKey: IDENTITY_DATABASE_URL",
    f"DATABASE_PASSWORD: {SEALED}",
    f"JWT_SECRET: {SEALED}",
    "digest: sha256:83018b20842310b3e25bf0bc771f414ada71d5ad668669012643f36abd1cc538",
    "checksum/secret: 83018b20842310b3e25bf0bc771f414ada71d5ad668669012643f36abd1cc538",
    "token_url: https://login.example.com/oauth/token",
    "maxTokens: 409600000000",
    "tokenExpiry: 3600s0000000000",
    "# password: the password of the database, at least 12 characters",
    "forgotPassword: Forgot your password?",
    "url: postgresql://user:pass@host:5432/db",
    "url: postgresql://postgres:postgres@localhost:5432/auth",
    "url: postgresql://app:$(DB_PASSWORD)@db:5432/auth",
    "url: postgresql://app:{{ .Values.password }}@db/auth",
    "url: http://db.example.com:8080/mail?to=a@example.com",
    "url: https://git.example.com/shop.git",
    "key: AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END CERTIFICATE-----",
    "# a file that begins with -----BEGIN PRIVATE KEY----- is a key",
    "비밀번호: password: 비밀번호를 입력하십시오",
]


@pytest.mark.parametrize(("text", "kind", "name"), SECRETS)
def test_secret_is_found_and_not_told(text: str, kind: str, name: str) -> None:
    (literal,) = plaintexts.find(f"# a file\n{text}\n")
    assert (literal.line, literal.kind, literal.name) == (2, kind, name)
    assert PASSWORD not in str(literal)
    assert RANDOM not in str(literal)


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_what_only_looks_like_a_secret_is_left_alone(text: str) -> None:
    assert plaintexts.find(f"{text}\n") == ()


def test_surer_of_two_on_one_line_is_told() -> None:
    (literal,) = plaintexts.find(f"githubToken: {GITHUB}\n")
    assert literal.kind == "token"


def test_manifest_is_one_finding_with_its_keys() -> None:
    text = (
        "kind: ConfigMap\napiVersion: v1\ndata: {a: b}\n---\napiVersion: v1\nkind: Secret\n"
        f"metadata: {{name: auth-secrets}}\ndata:\n  password: {base64.b64encode(b'hunter2x').decode()}\n"
    )
    (finding,) = secrets.in_file("k8s/auth.yaml", text)
    assert (finding.place.line, finding.variant, finding.name) == (8, "manifest", "auth-secrets")


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\u2029", "\r"])
def test_lines_of_a_manifest_are_those_of_git(end: str) -> None:
    text = f"# a{end}# b\n{SECRET}data: {{a: aHVudGVyMng=}}\n---\npassword: {PASSWORD}\n"
    manifest, literal = secrets.in_file("k8s/a.yaml", text)
    assert (manifest.variant, manifest.place.line, manifest.last) == ("manifest", 5, 5)
    assert (literal.variant, literal.place.line) == ("named", 7)


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: 'ENC[AES256_GCM,data:x]'}\n",
        "apiVersion: bitnami.com/v1alpha1\nkind: Secret\ndata: {a: b}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: [\n",
        "apiVersion: v1\nkind: Secret\ndata: [a]\nmetadata: 3\n",
        "apiVersion: v1\nkind: Secret\n? [a]\n: b\n",
    ],
)
def test_manifest_without_content_of_its_own_is_none(text: str) -> None:
    assert secrets.in_file("k8s/a.yaml", text) == ()


@pytest.mark.parametrize(
    ("path", "looked"),
    [
        ("services/auth/helm/values-prod.yaml", True),
        ("services/auth/helm/values.yaml.example", True),
        (".env", True),
        ("app/.env.production", True),
        ("app/prod.env", True),
        ("id_ed25519", True),
        ("compose.yaml", True),
        ("services/auth/helm/values.schema.json", False),
        ("app/main.go", False),
        ("go.sum", False),
        ("docs/DEPLOYMENT.md", False),
    ],
)
def test_files_with_values_are_looked_at(path: str, looked: bool) -> None:
    assert plaintexts.looked_at(path) is looked


@given(st.text(alphabet="password:= \"'|\n-{}abcKEY019@/_", max_size=400))
def test_any_text_is_read(text: str) -> None:
    for literal in plaintexts.find(text):
        assert 1 <= literal.line <= text.count("\n") + 1


@pytest.mark.parametrize(
    "text",
    [
        "password" * 200_000,
        "password: " + "a" * 1_000_000,
        "secret=" * 200_000,
        "://a:b" * 200_000,
        "-----BEGIN PRIVATE KEY-----" * 60_000,
        "eyJ" + "a" * 1_000_000,
        "name: password" * 100_000,
        '"password": "' + "\\" * 1_000_000,
        "kind: Secret\n" * 60_000,
        f"x://a:{RANDOM}@h " * 80_000,
        f"{AWS} " * 95_000,
    ],
    ids=range(11),
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    secrets.in_file("a.yaml", text)
    assert time.process_time() - began < 4


# Path, text, and whether a secret stands there.
BY_KIND = [
    ("auth/src/env.validation.ts", "VALKEY_PASSWORD: Joi.string().allow('').default(''),", False),
    ("auth/src/env.ts", f"export const PASSWORD = '{PASSWORD}';", True),
    ("auth/src/Env.env.kt", "val dbPassword = config.password", False),
    ("web/i18n/de.json", '{"Password": "Passwort"}', False),
    ("web/assets/fr.json", '{"password": "Mot-de-passe"}', False),
    ("api/messages_nl.properties", "login.password=Wachtwoord12", False),
    ("web/locales/en.yaml", f"token: {GITHUB}", True),
    ("pnpm-lock.yaml", "'@inquirer/password': 4.0.23(@types/node@25.0.10)", False),
    ("package-lock.json", '"@inquirer/password": "4.0.23-rc.1"', False),
    ("package.json", '"@inquirer/password": "^4.0.23"', False),
    ("Cargo.lock", 'checksum-token = "8a3f0c1d2e4b5a69788f"', False),
    ("yarn.lock", f'resolved "https://ci:{PASSWORD}@npm.example.com/a.tgz"', True),
    ("requirements.txt", "django-password==1.2.3b4", False),
    ("requirements-dev.txt", f"--index-url https://ci:{PASSWORD}@pypi.example.com/simple", True),
    ("auth/.env.example", "POSTGRES_PASSWORD=__secret__", False),
    ("auth/.env.example", "POSTGRES_PASSWORD=letmein99", False),
    ("auth/.env.example", f"API_KEY={RANDOM}", True),
    ("auth/.env", "POSTGRES_PASSWORD=__SECRET__", False),
    ("auth/.env", "POSTGRES_PASSWORD=letmein99", True),
    ("auth/.env", "POSTGRES_PASSWORD=p4ss(w)ord", True),
    ("values.yaml", "password: POSTGRES_PASSWORD", False),
    ("values.yaml", "password: Summer2024!", True),
    ("values.yaml", "password: my-secret-pw", True),
    ("values.yaml", "password: tulpe-kiesel", True),
    ("values.yaml", "password: fake_password", False),
    ("values.yaml", "accountkey: base64encodedaccountkey", False),
    ("values.yaml", "initialClusterToken: etcd-cluster-k8s", False),
    ("a.json", '{"body": ".clientSecret(\\"GOCSPX-hardcoded-secret-here\\")"}', False),
    ("a.alloy.txt", 'password = env("GRAFANA_CLOUD_API_KEY")', False),
    ("a.json", '{"exec": ["log(\\"Password: abc!\\");"]}', False),
    ("a.tpl", 'config "user=\\"$USER\\" password=\\"$SASL_USER_PASSWORD\\";"', False),
    ("a.tpl", f'config "user=\\"app\\" password=\\"{PASSWORD}\\";"', True),
    ("a.tpl", 'wait "redis://${REDIS_PASSWORD:-}@${REDIS_HOST}:6379"', False),
    ("values.yaml", f"## {'run ' * 40} --password={PASSWORD}", False),
    ("k8s/s.yaml", f"{SECRET}data:\n  dhparam.pem: ...base64 encoded data...", False),
    ("setup.sh", 'HCP_SECRET="../secret/hcp-k8s-secret.yaml"', False),
    ("setup.sh", "HCP_SECRET=~/.keys/hcp-k8s-secret", False),
    ("setup.sh", "HCP_SECRET=secret/hcp-k8s-secret.yaml", False),
    ("setup.sh", "HCP_SECRET=kX9/hcpK8sS3cretq7Zw2", True),
    ("k8s/s.yaml", f"{SECRET}data:\n  password: {base64.b64encode(b'change-me').decode()}", False),
    (
        "k8s/s.yaml",
        f"{SECRET}stringData:\n  key: |\n    -----BEGIN PUBLIC KEY-----\n    MIIB",
        False,
    ),
    ("k8s/s.yaml", f"{SECRET}data:\n  password: {base64.b64encode(b'hunter2x').decode()}", True),
    ("scripts/mask.sh", 'UPDATE sessions SET "refreshToken" = md5(random()::text);', False),
    ("scripts/run.sh", "export DB_PASSWORD=letmein99", True),
    (".github/workflows/ci.yml", "POSTGRES_PASSWORD: testpass", False),
    ("test/resources/application.yml", "url: postgres://app:testpass@localhost/db", False),
]


@pytest.mark.parametrize(("path", "text", "secret"), BY_KIND)
def test_kind_of_file_says_what_a_value_is(path: str, text: str, secret: bool) -> None:
    assert bool(secrets.in_file(path, f"{text}\n")) is secret


class Searched(UserString):
    """A text that counts how often it is searched."""

    searches = 0

    def __contains__(self, word: object) -> bool:
        self.searches += 1
        return super().__contains__(word)

    def find(self, *arguments: Any) -> int:
        self.searches += 1
        return super().find(*arguments)


def test_text_without_tokens_is_not_searched_for_each_prefix() -> None:
    values = Searched("replicas: 2\nservice: {name: auth, port: 8080}\n")
    assert not list(shapes.tokens(cast("str", values)))
    assert values.searches < len(shapes._SHAPES) * 2 / 3


def test_long_ciphertexts_are_judged_by_their_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    for pattern in ("_SAMPLE", "_END_OF_STRING"):  # slow searches of a whole value
        monkeypatch.setattr(plaintexts, pattern, None)
    assert not plaintexts.find(f"JWT_SECRET: {SEALED}\n")
