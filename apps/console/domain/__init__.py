"""Pure decisions of this room: no Django, no clock, no I/O."""
