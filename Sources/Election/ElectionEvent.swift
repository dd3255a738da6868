import Addressing
import NetworkModel

/// What happens to an `Election`.
public enum ElectionEvent: Hashable, Sendable {
    /// `nextDeadline` has come. Earlier and additional ticks do no harm.
    case tick
    /// A datagram from a peer's endpoint.
    case pulse(from: IPAddress, bytes: [UInt8])
    /// The kernel of a peer answered (ICMP echo reply).
    case echoReply(from: IPAddress)
    /// ICMP port unreachable: the host lives, its agent does not.
    case unreachable(from: IPAddress)
    /// What keepalived notified, or what a look at the addresses showed: master, backup or fault. Repetitions do no harm. After the agent's start,
    /// a look must tell of every router; where addresses are left of a keepalived that does not run, tell `master` and then `daemonEnded`.
    case member(ResourceID, MemberState)
    /// keepalived died; the addresses that it had are still there. It is no master any more until another one has said that it is backup.
    case daemonEnded(ResourceID)
    /// Only of keys that a router has: others are forgotten at the next update.
    case gateway(key: String, Reachability)
    /// The carrier of the device that tunnels start from.
    case carrier(isUp: Bool)
    /// While `isIsolated`: the device that tunnels start from has received something.
    case underlayHeard
    /// After `listen`: a real advertisement came over the HA network, not one that we injected. `from` is its source address; with it, only the
    /// awaited master's advertisement counts, and one of another member that was master for a moment does not.
    case advertisementHeard(ResourceID, from: IPAddress? = nil)
    /// After `deafen`: the filter is there since just now.
    case deafened(ResourceID)
    /// After `mute`: the filter is there since just now.
    case muted(ResourceID)
}

/// What an `Election` wants done.
public enum ElectionAction: Hashable, Sendable {
    /// Send a datagram to a peer's endpoint.
    case send([UInt8], to: IPAddress)
    /// Send an ICMP echo request.
    case echo(to: IPAddress)
    /// Hand an advertisement to our own keepalived as if it came from `source`, an address on the HA network. Priority 0 makes a backup
    /// master after its skew; 255 makes a master backup at once.
    case inject(router: ResourceID, source: IPAddress, priority: Int)
    /// Gratuitous ARP and unsolicited neighbour advertisements for all addresses of the router.
    case announce(ResourceID)
    /// Keep other members' advertisements from our keepalived for so long, and tell of it (`deafened`): one with a higher priority would make it give the
    /// addresses up at once.
    case deafen(ResourceID, milliseconds: Int)
    /// Keep our keepalived's own advertisements from the others for so long, and tell of it (`muted`): its last word before it gives way, with a higher
    /// priority than its successor's, would make that one give way too.
    case mute(ResourceID, milliseconds: Int)
    /// Remove the router's addresses by force: keepalived does not do it.
    case strip(ResourceID)
    /// Start keepalived again.
    case restartDaemon(ResourceID)
    /// Another member became master beside us: it may not hear us because our keepalived hangs. One that sends no advertisement must be ended.
    case suspectDaemon(ResourceID)
    /// Begin or end to look for real advertisements on the HA network (`advertisementHeard`).
    case listen(ResourceID, Bool)
    /// Two living members claim mastership for longer than they should: us and `with`. For log and report.
    case conflict(ResourceID, with: String, isOver: Bool)
    /// For log and report.
    case peerChanged(endpoint: IPAddress, PeerLiveness)
}
