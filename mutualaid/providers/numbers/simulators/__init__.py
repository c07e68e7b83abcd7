"""Vendors of masked numbers that answer on this machine: the same wire, signatures, codes and bad days as the real ones.

Shipped for development: `mutualaid simulate numbers --vendor huawei`. `/_simulate/…` is ours: what to do wrong next, who is
not reported, a call to be made.

    switchboard.py   what every vendor remembers
    controls.py      `/_simulate/…`
    aliyun.py        tencent.py huawei.py: the vendor's own words
"""
