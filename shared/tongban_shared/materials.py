"""A material of the item catalogue, and what its line of catalogue.toml may say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True, slots=True)
class Material:
    """What the applicant hands in. e_licence: an e-licence (电子证照) can stand in for the paper.

    licences: kinds of our registries' own documents that do, looked up and not handed in (免提交).
    deferrable: secondary, and may follow (容缺受理). by_commitment: a proof that the applicant may replace
    by a signed commitment (告知承诺).
    """

    kind: str
    title_zh: str
    main: bool
    e_licence: bool
    licences: tuple[str, ...] = ()
    deferrable: bool = False
    by_commitment: bool = False


class MaterialTable(BaseModel):
    """A line of [material]: what holds of the kind wherever it is asked for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title_zh: Annotated[str, Field(min_length=1, max_length=100)]
    e_licence: bool = False
    licences: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z_.]*$")], ...] = ()
    deferrable: bool = False
    by_commitment: bool = False
    identity: bool = False

    def faults(self) -> Iterator[str]:
        """What its marks contradict."""
        if self.licences and not self.e_licence:
            yield "names licences and is no e-licence"
        if self.identity and self.by_commitment:
            yield "shows who somebody is, which no commitment does"

    def as_asked(self, kind: str, *, main: bool, grave: bool) -> Material:
        """The material as one item asks for it: no main one follows, and some items take no commitment."""
        return Material(
            kind,
            self.title_zh,
            main,
            self.e_licence,
            licences=self.licences,
            deferrable=self.deferrable and not main,
            by_commitment=self.by_commitment and not grave,
        )
