"""The one way from a call to its outcome, whichever channel heard it.

The order, and why: *authenticate* (who), *tenant* (for whom), *authorize* (may they: "admin of which tenant?"
needs the tenant), *limit* (keyed by principal and tenant; refuse before spending), *validate* (costs processor),
*confirm* (destructive calls), *journal* (what must survive a crash), then **execute**, then the witnesses *audit*
and *publish*, which hear of refused calls too. `gates.Gates` is this order as a type.
"""
