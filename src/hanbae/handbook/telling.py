"""What the documents are made from, and the names that several of their parts need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

from hanbae import patterns
from hanbae.handbook import facts, markdown, words
from hanbae.policy import documents, environments, naming

_FOLLOWED: Final = frozenset({"deployment", "statefulset", "daemonset"})
"""Kinds that ``kubectl rollout`` knows."""
_JOB: Final = patterns.lazy(r"job/<service>-migrate\b")
_PLACE: Final = patterns.lazy(r"-n (?P<name>[a-z0-9-]+|<namespace>)(?![\w<-])")


class Telling:
    """A repository, about to be told of in one language.

    Args:
        policy: The policy.
        services: The services, in order.
        language: The language.
    """

    def __init__(
        self,
        policy: documents.Policy,
        services: Sequence[facts.Service],
        language: words.Language,
    ) -> None:
        self.policy = policy
        self.services = tuple(services)
        self.language: words.Language = language
        self.words = words.of(language)

    @cached_property
    def clusters(self) -> tuple[str, ...]:
        """The environments on Kubernetes, in the order of promotion."""
        return environments.on_kubernetes(self.policy)

    def namespace(self, service: str, environment: str) -> str:
        """The namespace of a service in an environment."""
        return naming.namespace(self.policy, service, environment)

    def migrations(self) -> Iterator[tuple[facts.Service, str, facts.Migration]]:
        """Every migration: its service, the environment, and it."""
        for service in self.services:
            for environment, deployed in service.deployments():
                for migration in deployed.migrations:
                    yield service, environment, migration

    def followed(self) -> Iterator[tuple[facts.Service, str, str]]:
        """What can be restarted, followed and put back: its service, the environment, and how kubectl names it."""
        for service in self.services:
            for environment, deployed in service.deployments():
                for workload in deployed.workloads:
                    if workload.partition("/")[0] in _FOLLOWED:
                        yield service, environment, workload

    def example(self) -> tuple[str, str]:
        """The service and environment by which commands are shown; placeholders where there is no service yet."""
        last = self.clusters[-1] if self.clusters else "ENV"
        for service in self.services:
            if service.environments:
                return service.name, list(service.environments)[-1]
        return "SERVICE", last

    def concrete(self, text: str) -> str:
        """A sentence of the policy, where its placeholders stand for what a service of this repository has."""
        if "<" not in text:
            return text
        name, environment = self.example()
        if _JOB.search(text):
            migrating = [entry for entry in self.migrations() if entry[0].name == name]
            examples = migrating or list(self.migrations())
            if examples:
                service, environment, migration = examples[-1]
                name = service.name
                job = f"{migration.kind.lower()}/{migration.job}"
                # By functions: what a chart calls its Job may have backslashes, which a template obeys.
                text = _JOB.sub(lambda _: job, text)
        if environment in self.clusters:
            place = f"-n {self.namespace(name, environment)}"
            text = _PLACE.sub(lambda _: place, text)
        return text.replace("<service>", name)

    def spoken(self, word: str, text: str) -> str:
        """A sentence of the policy in this language, where it is the one that hanbae lays in one of its languages.

        Args:
            word: What the sentence stands for among the words.
            text: The sentence; empty for the laid one.
        """
        laid = {words.of(language).get(word) for language in words.LANGUAGES}
        return self.words[word] if word in self.words and (not text or text in laid) else text

    def none(self, word: str) -> str:
        """The sentence that says that there is nothing of a kind."""
        return markdown.prose(self.words[word])
