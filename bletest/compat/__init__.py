"""The interfaces that bletest was founded on, as they were written: pybtle's and Pycom's."""
