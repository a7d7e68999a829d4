"""The virtual air and its clock, and bumble hosts on it or on a real controller.

``clock`` holds the event loop whose time is virtual, ``virtual`` the air in place of bumble's
``LocalLink``, ``controller`` the controllers on it, ``host`` and ``station`` the host side,
``hci_port`` the door for host stacks in other processes.
"""
