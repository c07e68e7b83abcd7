"""A draft on its way to a post: what both faces do before the transaction, and what they do in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mutualaid.catalogue.snapshot import Catalogue
from mutualaid.kit import scrubbing
from mutualaid.kit.plain import Plain
from mutualaid.kit.prepared import Put
from mutualaid.kit.scrubbing import Scrubbed
from mutualaid.kit.sealing import DataKey
from mutualaid.members import footing
from mutualaid.members.needs import require
from mutualaid.members.policies import may_act
from mutualaid.members.records import Principal
from mutualaid.posts import cards, placing, publishing
from mutualaid.posts.cards import Card
from mutualaid.posts.checking import Checker
from mutualaid.posts.drafts import PostDraft
from mutualaid.posts.needs import consents_for, doubtful
from mutualaid.posts.placing import Placed
from mutualaid.services import Services


@dataclass(frozen=True, slots=True)
class Ready:
    """A draft that was found right, with all that needs no transaction."""

    services: Services
    draft: PostDraft
    placed: Placed
    author: Principal
    cleaned: Scrubbed
    doubtful: bool
    key: DataKey
    catalogue: Catalogue
    now: datetime

    @classmethod
    async def of(
        cls, checker: Checker, draft: PostDraft, *, author: Principal, key: DataKey | None = None, now: datetime
    ) -> "Ready":
        """428 `consent_needed`, 403 `suspended`; `checker` has looked at the draft. `key`: the author's data key, where it
        was fetched for this request."""
        services, catalogue = checker.services, checker.catalogue
        assert checker.placed is not None
        if draft.note:  # nobody outside judges the words of one who has not consented; else it is asked under the lock
            require(author.consents, consents_for(draft, catalogue))
            may_act(author)
        cleaned = scrubbing.scrub(draft.note)
        unsure = await doubtful(services, draft.note, cleaned)
        key = key or await services.keys.get(author.id)
        return cls(services, draft, checker.placed, author, cleaned, unsure, key, catalogue, now)

    async def publish(self, plain: Plain) -> tuple[Card, Sequence[Put]]:
        """Decide it under the author's lock: the card as it will stand, and all there is to write."""
        member = await footing.of_caller(plain, self.author)
        settled = await placing.show(
            plain, self.placed, member=member, key=self.key, services=self.services, now=self.now
        )
        published = await publishing.publish(
            plain,
            self.draft,
            author=self.author,
            member=member,
            where=settled.where,
            cleaned=self.cleaned,
            doubtful=self.doubtful,
            catalogue=self.catalogue,
            now=self.now,
        )
        card = cards.of_rows(
            published.post,
            published.lines,
            author_name=member.display_name,
            author_real_name=member.real_name,
            region_name=settled.region.name,
            region_path=settled.region.path,
        )
        return card, (*published.puts, *settled.puts)
