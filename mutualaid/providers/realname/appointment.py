"""No register is asked: a moderator looks at the paper and vouches."""

from mutualaid.providers.realname import ByAppointment, Result


class Appointment:
    name = "appointment"
    is_fake = False
    by_appointment = True

    async def check(self, name: str, id_number: str, *, key: str) -> Result:
        raise ByAppointment
