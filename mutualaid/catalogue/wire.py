"""What the door of the catalogue takes and answers."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from mutualaid.catalogue.rules import Item
from mutualaid.kit.fields import Text, View
from mutualaid.kit.texts import Language


class ItemQuery(BaseModel):
    """Which items are asked for: `q` is part of a code, a name, a brand, a synonym, an ingredient, or pinyin (blf)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Annotated[Text, Field(max_length=50)] | None = None
    group: Annotated[Text, Field(max_length=120)] | None = None
    limit: int = Field(20, ge=1, le=50)
    cursor: str | None = Field(None, max_length=400)


class ItemView(View):
    """What may be shared, or why not. `reason` and `caution` are in the reader's language, `leaflet` is in Chinese."""

    code: str
    name: str
    name_en: str
    kind: Literal["medicine", "goods"]
    group: str
    ingredient: str
    unit: str
    need_max: int
    offer_max: int
    divisible: bool
    nhc_listed: bool
    expiry_required: bool
    sealed_required: bool
    course_days: int = Field(description="what is offered must stay good so many days after the handover")
    handover: Literal["any", "pickup"]
    min_age: int | None = Field(description="years")
    policy: Literal["listable", "refused"]
    reason: str | None
    caution: str | None
    leaflet: str | None

    @classmethod
    def of(cls, item: Item, language: Language) -> Self:
        return cls(
            code=item.code,
            name=item.name,
            name_en=item.name_en,
            kind=item.kind,
            group=item.group,
            ingredient=item.ingredient,
            unit=item.unit,
            need_max=item.need_max,
            offer_max=item.offer_max,
            divisible=item.divisible,
            nhc_listed=item.nhc_listed,
            expiry_required=item.expiry_required,
            sealed_required=item.sealed_required,
            course_days=item.course_days,
            handover=item.handover,
            min_age=item.min_age,
            policy=item.policy,
            reason=item.reason(language),
            caution=item.caution(language),
            leaflet=item.leaflet,
        )


class ItemList(View):
    """A page of the catalogue, in its own order."""

    items: list[ItemView]
    next_cursor: str | None
