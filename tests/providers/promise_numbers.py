"""The promise of masked numbers, as every maker keeps it.

`NumbersPromise` is for all makers; `CallsPromise` adds what those keep that bind by AXB, `ExtensionsPromise` what those keep
that bind by AXE. A maker sets its stage.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from mutualaid.kit.phones import Phone
from mutualaid.providers.numbers import (
    BadNumber,
    BindingGone,
    BindingRef,
    BindRequest,
    Close,
    Connect,
    ExpiryTooSoon,
    NotAuthorised,
    NotReported,
    NumbersMaker,
    NumbersRefused,
    PairConflict,
    PoolExhausted,
    ProviderDown,
    PushRefused,
    Throttled,
)

NOW = datetime(2023, 1, 7, 12, tzinfo=UTC)
A, B, C, D = (Phone(f"+8613{n}00138000") for n in (8, 9, 7, 6))
DAY = timedelta(hours=24)


@dataclass
class NumbersStage:
    """A maker at NOW; how its clock is moved, and how its next call is made to fail. `never`: what its vendor never says."""

    maker: NumbersMaker
    set_clock: Callable[[datetime], None]
    fail_next: Callable[[str], None]
    count: Callable[[], Awaitable[int]]
    never: frozenset[str] = field(default=frozenset(), kw_only=True)

    def request(self, key: str = "k1", *, a: Phone = A, b: Phone = B, x: int = 0) -> BindRequest:
        return BindRequest(key=key, mode="axb", x=self.maker.pool[x], a=a, b=b, expires_at=NOW + DAY)

    def by_extension(self, key: str = "e1", *, a: Phone = A, b: Phone = B, x: int = 0, e: str = "301") -> BindRequest:
        return BindRequest(key, "axe", self.maker.pool[x], a, b, NOW + DAY, e)

    def ref(self, key: str = "k1", x: int = 0) -> BindingRef:
        return BindingRef(key, self.maker.pool[x] if self.maker.pool else "+8617000000001", people=(A, B))


class NumbersPromise:
    @pytest.fixture
    async def stage(self) -> NumbersStage:
        raise NotImplementedError("each maker sets its own stage")

    async def test_a_binding_that_never_was_is_unbound_already(self, stage: NumbersStage) -> None:
        await stage.maker.unbind(stage.ref("unknown"))

        assert await stage.maker.query(stage.ref("unknown")) is None

    async def test_a_push_without_proof_is_refused(self, stage: NumbersStage) -> None:
        with pytest.raises(PushRefused):
            stage.maker.parse_event({"authorization": "Bearer guessed"}, b"[]", query={"token": "guessed"})
        with pytest.raises(PushRefused):
            stage.maker.parse_event({}, b"[]", query={})

    async def test_a_maker_has_numbers_exactly_when_it_has_a_mode(self, stage: NumbersStage) -> None:
        caps = stage.maker.caps

        assert caps.calls is bool(caps.modes) is bool(stage.maker.pool)
        assert ("axe" in caps.modes) is bool(caps.extension_digits)
        assert not caps.calls or caps.max_pairs_per_x > 0


class CallsPromise(NumbersPromise):
    async def test_what_is_bound_can_be_asked_for(self, stage: NumbersStage) -> None:
        bound = await stage.maker.bind(stage.request())

        assert (bound.key, bound.x, bound.expires_at) == ("k1", stage.maker.pool[0], NOW + DAY)
        assert await stage.maker.query(stage.ref()) == bound

    async def test_the_same_key_binds_once(self, stage: NumbersStage) -> None:
        first = await stage.maker.bind(stage.request())

        assert await stage.maker.bind(stage.request()) == first
        assert await stage.count() == 1

    async def test_a_key_names_one_number(self, stage: NumbersStage) -> None:
        await stage.maker.bind(stage.request())

        with pytest.raises(PairConflict):
            await stage.maker.bind(stage.request(x=1))

    @pytest.mark.parametrize(("a", "b"), [(A, C), (C, A), (B, C), (C, B), (B, A)])
    async def test_a_phone_stands_once_on_a_number_on_whichever_side(
        self, stage: NumbersStage, a: Phone, b: Phone
    ) -> None:
        await stage.maker.bind(stage.request())

        with pytest.raises(PairConflict):
            await stage.maker.bind(stage.request("k2", a=a, b=b))
        await stage.maker.bind(stage.request("k2", a=a, b=b, x=1))
        assert await stage.count() == 2

    async def test_other_people_share_a_number(self, stage: NumbersStage) -> None:
        await stage.maker.bind(stage.request())
        await stage.maker.bind(stage.request("k2", a=C, b=D))

        assert await stage.count() == 2

    async def test_what_was_unbound_is_free_again(self, stage: NumbersStage) -> None:
        await stage.maker.bind(stage.request())

        await stage.maker.unbind(stage.ref())
        await stage.maker.unbind(stage.ref())

        assert await stage.maker.query(stage.ref()) is None
        await stage.maker.bind(stage.request("k2", a=B, b=A))

    async def test_a_binding_ends_by_itself(self, stage: NumbersStage) -> None:
        await stage.maker.bind(stage.request())

        stage.set_clock(NOW + DAY)

        assert await stage.maker.query(stage.ref()) is None
        late = replace(stage.request("k2", a=B, b=A), expires_at=NOW + 2 * DAY)
        await stage.maker.bind(late)

    async def test_a_renewed_binding_ends_later(self, stage: NumbersStage) -> None:
        await stage.maker.bind(stage.request())
        if not stage.maker.caps.renewable:
            with pytest.raises(NotAuthorised):
                await stage.maker.renew(stage.ref(), NOW + 2 * DAY)
            return

        renewed = await stage.maker.renew(stage.ref(), NOW + 2 * DAY)
        stage.set_clock(NOW + DAY)

        assert renewed.expires_at == NOW + 2 * DAY
        assert await stage.maker.query(stage.ref()) == renewed

    async def test_what_is_gone_cannot_be_renewed(self, stage: NumbersStage) -> None:
        with pytest.raises(BindingGone if stage.maker.caps.renewable else NotAuthorised):
            await stage.maker.renew(stage.ref(), NOW + 2 * DAY)

    async def test_a_binding_lasts_longer_than_the_makers_shortest(self, stage: NumbersStage) -> None:
        soon = replace(stage.request(), expires_at=NOW + stage.maker.caps.min_ttl)

        with pytest.raises(ExpiryTooSoon):
            await stage.maker.bind(soon)
        assert await stage.count() == 0

    async def test_a_foreign_number_is_not_bound(self, stage: NumbersStage) -> None:
        with pytest.raises(BadNumber):
            await stage.maker.bind(replace(stage.request(), x="+8613800000000"))

    @pytest.mark.parametrize(
        ("told", "error"),
        [
            ("down", ProviderDown),
            ("throttled", Throttled),
            ("pool_exhausted", PoolExhausted),
            ("pair_conflict", PairConflict),
            ("bad_number", BadNumber),
            ("not_reported", NotReported),
            ("not_authorised", NotAuthorised),
        ],
    )
    async def test_an_error_binds_nothing_and_leaves_the_key_free(
        self, stage: NumbersStage, told: str, error: type[Exception]
    ) -> None:
        if told in stage.never:
            return
        stage.fail_next(told)
        with pytest.raises(error) as caught:
            await stage.maker.bind(stage.request())
        assert await stage.count() == 0
        assert "138" not in f"{caught.value!r} {caught.value}"

        await stage.maker.bind(stage.request())
        assert await stage.count() == 1

    async def test_a_refusal_carries_a_code(self, stage: NumbersStage) -> None:
        stage.fail_next("pool_exhausted")
        with pytest.raises(NumbersRefused) as caught:
            await stage.maker.bind(stage.request())

        assert caught.value.code == "numbers_exhausted"

    async def test_a_call_that_may_go_through_is_answered_with_whom_and_what_to_show(self, stage: NumbersStage) -> None:
        asked = Connect(B, stage.maker.pool[0], 600)
        if not stage.maker.caps.call_time_decision:
            with pytest.raises(NotAuthorised):
                stage.maker.answer_route(asked)
            return

        told = json.dumps(stage.maker.answer_route(asked))
        refused = json.dumps(stage.maker.answer_route(Close("not_a_party")))

        assert B.e164 in told and stage.maker.pool[0] in told
        assert B.e164 not in refused

    async def test_nothing_prints_a_number(self, stage: NumbersStage) -> None:
        request = stage.request()
        bound = await stage.maker.bind(request)

        shown = f"{request!r} {bound!r} {stage.ref()!r} {Connect(B, request.x, 1)!r}"
        assert "13800138000" not in shown and "17000000001" not in shown


class ExtensionsPromise(NumbersPromise):
    async def test_an_extension_is_bound_as_asked(self, stage: NumbersStage) -> None:
        asked = stage.by_extension()
        bound = await stage.maker.bind(asked)

        assert (bound.x, bound.extension, bound.expires_at) == (asked.x, "301", NOW + DAY)
        assert await stage.maker.bind(asked) == bound
        assert await stage.maker.query(BindingRef("e1", asked.x)) == bound

    async def test_an_extension_is_one_bindings_own(self, stage: NumbersStage) -> None:
        await stage.maker.bind(stage.by_extension())

        with pytest.raises(PairConflict):
            await stage.maker.bind(stage.by_extension("e2", a=C, b=D))
        await stage.maker.bind(stage.by_extension("e2", a=A, b=C, e="302"))

    async def test_an_extension_that_was_unbound_is_free_again(self, stage: NumbersStage) -> None:
        asked = stage.by_extension()
        await stage.maker.bind(asked)

        await stage.maker.unbind(BindingRef("e1", asked.x))
        await stage.maker.unbind(BindingRef("e1", asked.x))

        assert await stage.maker.query(BindingRef("e1", asked.x)) is None
        await stage.maker.bind(stage.by_extension("e2", a=C, b=D))

    @pytest.mark.parametrize("digits", ["", "x1", "12345", "三百"])
    async def test_an_extension_is_a_few_digits(self, stage: NumbersStage, digits: str) -> None:
        with pytest.raises(BadNumber):
            await stage.maker.bind(stage.by_extension(e=digits))
