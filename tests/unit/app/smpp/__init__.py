"""The protocol of message centres, without one."""
