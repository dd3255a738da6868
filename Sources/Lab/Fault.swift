/// What can happen to a host. Faults add up: a host may have several at once, and ``LabHost/heal()`` ends them all.
public enum Fault: String, CaseIterable, Sendable {
    /// Both uplinks lose their carrier and every process of the host is killed.
    case power
    /// Both uplinks lose their carrier; everything on the host goes on.
    case uplink
    /// The host drops what HA routers tell each other (VRRP and all of 169.254.192.0/18); everything else goes on.
    case ha
    /// The host drops what it and the server tell each other; everything else goes on.
    case control
    /// One of the host's links loses frames: ``FaultOptions/lossPercent`` of those in one direction or both.
    case loss
    /// One of the host's links delays frames, and reorders or loses some of them.
    case delay
    /// The agent is killed.
    case agent
    /// Every keepalived of the host is killed.
    case keepalived
    /// The agent is stopped (SIGSTOP): it is there and does nothing.
    case agentHang = "agent-hang"
    /// Every keepalived of the host is stopped (SIGSTOP).
    case keepalivedHang = "keepalived-hang"
    /// The agent is killed and started again with other monotonic and boot clocks (``FaultOptions/clockStepSeconds``), which the daemons
    /// that it starts from then on have, too. Linux has no namespace of the wall clock: a step of that would be one of the whole machine.
    case clock
    /// The disk with the agent's state is full.
    case disk
}

/// How faults that have degrees come about.
public struct FaultOptions: Hashable, Sendable {
    /// Which of the host's links.
    public enum Link: String, CaseIterable, Sendable {
        /// eth0: tunnels and the way to the server.
        case underlay
        /// eth1: the physical network.
        case physical
    }

    /// As the host sees it.
    public enum Direction: String, CaseIterable, Sendable {
        case sent, received, both
    }

    public var link = Link.underlay
    public var direction = Direction.both
    /// 0...100; nil: all for ``Fault/loss``, none for ``Fault/delay``.
    public var lossPercent: Double?
    /// What every frame waits. 0...10,000.
    public var delayMilliseconds = 50.0
    /// Each frame waits so much more or less, evenly spread: frames overtake each other when it is more than the time between them.
    public var jitterMilliseconds = 0.0
    /// So many of the frames do not wait at all, and overtake the others.
    public var reorderPercent = 0.0
    /// The same seed gives the same sequence of decisions, one for each frame of a direction.
    public var seed: UInt64 = 1
    /// May be negative, but no clock can be before its start.
    public var clockStepSeconds = 3600

    public static let delayLimitMilliseconds = 10_000.0

    public init(link: Link = .underlay, direction: Direction = .both) {
        self.link = link
        self.direction = direction
    }

    /// Loss on the underlay link.
    public static func loss(percent: Double = 100, _ direction: Direction, on link: Link = .underlay) -> FaultOptions {
        var options = FaultOptions(link: link, direction: direction)
        options.lossPercent = percent
        return options
    }

    func check() throws(LabError) {
        let percentages = [lossPercent ?? 0, reorderPercent]
        guard percentages.allSatisfy((0...100).contains) else { throw LabError("A percentage is from 0 to 100.") }
        guard (0...Self.delayLimitMilliseconds).contains(delayMilliseconds), (0...delayMilliseconds).contains(jitterMilliseconds) else {
            throw LabError("A delay is from 0 to \(Int(Self.delayLimitMilliseconds)) ms, and jitter no more than the delay.")
        }
    }
}
