import Addressing
import NetworkModel

/// How the agents of hosts hasten and settle the VRRP elections of HA routers.
///
/// keepalived decides who is master, with slow timers and without any agent. This state machine only adds what the hosts know of each
/// other, which they learn from small pulses between their tunnel endpoints: that a host is dead, that two members are master, that a
/// master wants to leave. It then hands the advertisement to its own keepalived that makes it act at once.
///
/// Time comes in as monotonic milliseconds; effects go out as values. The owner calls `handle(.tick, …)` when `nextDeadline` has come.
/// A tick costs a pulse per peer host; a router is looked at only when something about it changed or a deadline of it is due.
public struct Election: Sendable {
    /// A router that was removed here and of which peers must learn.
    struct Departed: Sendable {
        var entry: Pulse.Entry
        var hosts: [IPAddress]
        var expiry: Int
    }

    public let settings: ElectionSettings
    let startID: UInt64

    var now = Int.min
    var routers: [RouterElection] = []
    var routerPositions: [ResourceID: Int] = [:]
    var hosts: [PeerHost] = []
    var hostPositions: [IPAddress: Int] = [:]
    var gateways: [String: Reachability] = [:]
    var departed: [Departed] = []

    /// The newest change number of our entries.
    var number: UInt32 = 0
    var isCarrierUp = true
    var carrierSince: Int?
    /// We hear nobody since a moment, and are held until then; stays set until somebody is heard.
    var isolatedUntil: Int?
    /// When we heard the first one again: the others follow.
    var isolationEnded: Int?
    /// When it began, and how many hosts fell silent with it.
    var isolatedSince = Int.min
    var silentTogether = 0
    /// Nobody is declared anything before this: we slept and have unread pulses.
    var quietUntil = Int.min

    private var lastTick: Int?
    private var nextHostDeadline = Int.max
    var nextPulse = Int.min
    var lastUrgent = Int.min
    /// Something was changed that peers should know before the next pulse is due.
    var isUrgent = false

    /// Routers to look at, in order; `isDirty` says which are in it.
    private var dirty: [Int] = []
    private var isDirty: [Bool] = []
    /// Beside `routers`; `Int.max` for none.
    private var deadlines: [Int] = []
    private var earliestDeadline = Int.max
    /// Masters that wait for a free place among those that hand over.
    var waitingToYield: [Int] = []
    var yieldingCount = 0
    /// Of those that waited: a place is kept for each until it is looked at.
    var calledToYieldCount = 0
    /// Routers that wait to be taken over, in order, and how many have their turn.
    var waitingForTurn: [Int] = []
    var turnCount = 0
    /// How many may have it, once the kernel was seen at work; nil: as the settings say.
    var turnWindow: Int?
    var lastTurn = Int.min
    var turnsOfThisMoment = 0
    /// No turn begins before this.
    var nextTurn = Int.min
    var actions: [ElectionAction] = []

    /// - Parameter startID: differs for every start of the agent; random.
    public init(settings: ElectionSettings = ElectionSettings(), startID: UInt64) {
        self.settings = settings
        self.startID = startID
    }

    /// What is known of a host; nil for endpoints of no peer.
    public func liveness(of endpoint: IPAddress) -> PeerLiveness? { hostPositions[endpoint].map { hosts[$0].liveness } }

    /// Whether this host suddenly hears nobody: whoever runs this then looks at what the device that tunnels start from receives.
    public var isIsolated: Bool { isolatedUntil.map { now < $0 } ?? false }

    /// What this member of a router is, as peers are told; nil for routers that are not here.
    public func state(of id: ResourceID) -> MemberState? { routerPositions[id].map { routers[$0].own } }

    /// When the next tick is due; nil without peers.
    public var nextDeadline: Int? {
        var next = min(earliestDeadline, hosts.isEmpty ? Int.max : min(nextPulse, nextHostDeadline))
        if isUrgent { next = min(next, lastUrgent + settings.urgentIntervalMilliseconds) }
        if let turnDeadline { next = min(next, turnDeadline) }
        return next == Int.max ? nil : next
    }

    /// Sets the routers of this host; those that are left out are forgotten.
    public mutating func update(routers new: [ElectionRouter], now: Int) -> [ElectionAction] {
        advance(to: now)
        bury(allBut: Set(new.map(\.id)))
        rebuildHosts(for: new)
        rebuildRouters(new)
        if let lastTick, !hosts.isEmpty { nextPulse = min(nextPulse, lastTick + settings.pulseIntervalMilliseconds) }
        nextPulse = max(nextPulse, self.now)
        nextHostDeadline = hosts.isEmpty ? Int.max : self.now
        settle()
        return takeActions()
    }

    public mutating func handle(_ event: ElectionEvent, now: Int) -> [ElectionAction] {
        advance(to: now)
        switch event {
        case .tick: tick()
        case .pulse(let endpoint, let bytes): receive(bytes, from: endpoint)
        case .echoReply(let endpoint), .unreachable(let endpoint): noteSign(of: endpoint)
        case .member(let id, let state): if let router = routerPositions[id] { noteMember(router, state) }
        case .daemonEnded(let id): if let router = routerPositions[id] { noteDaemonEnded(router) }
        case .gateway(let key, let reachability): note(reachability, of: key)
        case .carrier(let isUp): noteCarrier(isUp)
        case .underlayHeard: noteUnderlay()
        case .advertisementHeard(let id, let source): if let router = routerPositions[id] { noteAdvertisement(router, from: source) }
        case .deafened(let id): if let router = routerPositions[id] { noteDeafened(router) }
        case .muted(let id): if let router = routerPositions[id] { noteMuted(router) }
        }
        settle()
        return takeActions()
    }

    // MARK: - Time

    private mutating func advance(to time: Int) {
        now = max(now, time)
        guard let last = lastTick, !hosts.isEmpty, now - last > 2 * settings.pulseIntervalMilliseconds else { return }
        // We were the ones who slept: pulses may lie unread, and nothing may be concluded from what did not come.
        lastTick = now
        quietUntil = now + 2 * settings.pulseIntervalMilliseconds
        for host in hosts.indices { hosts[host].restartTimers(now: now) }
        for router in routers.indices where routers[router].vacancy != nil {
            routers[router].vacancy = nil
            touch(router)
        }
    }

    private mutating func tick() {
        lastTick = now
        departed.removeAll { $0.expiry <= now }
        for host in hosts.indices {
            if hosts[host].judge(now: now, settings: settings) { livenessChanged(host) }
            if hosts[host].takeEcho(now: now, settings: settings) { actions.append(.echo(to: hosts[host].endpoint)) }
        }
        if now >= nextPulse, !hosts.isEmpty {
            for host in hosts.indices { sendPulses(to: host, onlyNew: false) }
            nextPulse = now + settings.pulseIntervalMilliseconds
        }
        nextHostDeadline = hosts.reduce(Int.max) { min($0, $1.deadline(settings)) }
    }

    /// Looks at every router that changed or is due, until nothing is left to do now.
    private mutating func settle() {
        if now >= earliestDeadline {
            for router in deadlines.indices where deadlines[router] <= now { touch(router) }
        }
        callNext()
        guard !dirty.isEmpty else { return flushUrgent() }
        var position = 0
        while position < dirty.count {
            let router = dirty[position]
            position += 1
            isDirty[router] = false
            if routers[router].isCalledToYield {
                routers[router].isCalledToYield = false
                calledToYieldCount -= 1
            }
            deadlines[router] = evaluate(router)
            callNextToYield()
            callNext()
        }
        dirty.removeAll(keepingCapacity: true)
        earliestDeadline = deadlines.min() ?? Int.max
        flushUrgent()
    }

    /// Has a router looked at before the event at hand is done.
    mutating func touch(_ router: Int) {
        guard !isDirty[router] else { return }
        isDirty[router] = true
        dirty.append(router)
    }

    /// Our entry of a router changed: peers must learn.
    mutating func changed(_ router: Int) {
        number &+= 1
        routers[router].number = number
        isUrgent = true
        touch(router)
    }

    private mutating func takeActions() -> [ElectionAction] {
        defer { actions = [] }
        return actions
    }

    // MARK: - Configuration

    private mutating func bury(allBut kept: Set<ResourceID>) {
        for router in routers where !kept.contains(router.router.id) {
            if let conflict = router.conflict, conflict.isReported {
                actions.append(.conflict(router.router.id, with: router.router.peers[conflict.rival].hostID, isOver: true))
            }
            guard departed.count < settings.departedLimit else { continue }
            number &+= 1
            var entry = router.entry(gateways)
            entry.state = .fault
            entry.isYielding = false
            entry.isTaking = false
            entry.number = number
            let told = router.router.peers.compactMap(\.endpoint)
            departed.append(Departed(entry: entry, hosts: told, expiry: now + settings.departedMilliseconds))
            isUrgent = true
        }
        departed.removeAll { kept.contains($0.entry.id) && routerPositions[$0.entry.id] == nil }
    }

    private mutating func rebuildHosts(for new: [ElectionRouter]) {
        var rebuilt: [PeerHost] = []
        var positions: [IPAddress: Int] = [:]
        for endpoint in new.lazy.flatMap({ $0.peers }).compactMap(\.endpoint) where positions[endpoint] == nil {
            positions[endpoint] = rebuilt.count
            rebuilt.append(hostPositions[endpoint].map { hosts[$0] } ?? PeerHost(endpoint: endpoint, now: now))
        }
        if hosts.isEmpty { lastTick = now }
        hosts = rebuilt
        hostPositions = positions
        for host in hosts.indices {
            hosts[host].memberships = []
            hosts[host].heardCache = nil
        }
    }

    private mutating func rebuildRouters(_ new: [ElectionRouter]) {
        var rebuilt: [RouterElection] = []
        var positions: [ResourceID: Int] = [:]
        var changes: [Int] = []
        for router in new where positions[router.id] == nil {
            let routerHosts = router.peers.map { $0.endpoint.flatMap { hostPositions[$0] } }
            let position = rebuilt.count
            positions[router.id] = position
            if let old = routerPositions[router.id] {
                var state = routers[old]
                let former = state.router
                if former != router { endWhatConcernsFormerPeers(&state, router) }
                state.change(to: router, hosts: routerHosts)
                if former != router { changes.append(position) }
                rebuilt.append(state)
                for (peer, host) in routerHosts.enumerated()
                where !former.peers.contains(where: { $0.endpoint == router.peers[peer].endpoint }) {
                    askAgain(host)
                }
            } else {
                rebuilt.append(RouterElection(router: router, hosts: routerHosts))
                changes.append(position)
                for host in routerHosts { askAgain(host) }
            }
            for (peer, host) in routerHosts.enumerated() {
                if let host { hosts[host].memberships.append(PeerHost.Membership(router: position, peer: peer)) }
            }
        }
        routers = rebuilt
        routerPositions = positions
        let keys = Set(new.compactMap(\.gatewayKey))
        gateways = gateways.filter { keys.contains($0.key) }
        dirty = []
        waitingToYield = []
        isDirty = Array(repeating: false, count: routers.count)
        deadlines = Array(repeating: Int.max, count: routers.count)
        yieldingCount = routers.count(where: \.isHandingOver)
        recountTurns()
        calledToYieldCount = 0
        for router in routers.indices {
            routers[router].isWaitingToYield = false
            routers[router].isCalledToYield = false
            touch(router)
        }
        for router in changes { changed(router) }
    }

    /// A host that may have told entries of a router before we knew it must tell them again.
    private mutating func askAgain(_ host: Int?) {
        if let host { hosts[host].held = 0 }
    }

    private mutating func endWhatConcernsFormerPeers(_ state: inout RouterElection, _ router: ElectionRouter) {
        func stays(_ peer: Int) -> Bool {
            router.peers.contains { $0.address == state.router.peers[peer].address && $0.endpoint == state.router.peers[peer].endpoint }
        }
        if let conflict = state.conflict, conflict.isReported, !stays(conflict.rival) {
            actions.append(.conflict(router.id, with: state.router.peers[conflict.rival].hostID, isOver: true))
        }
    }
}
