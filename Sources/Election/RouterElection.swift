import Addressing
import NetworkModel

/// What is known of one router and its group, and what is being done about it.
struct RouterElection: Sendable {
    /// What a peer says of itself, as far as we were told.
    struct Claim: Hashable, Sendable {
        /// False before its present agent told anything.
        var isTold = false
        var state = MemberState.unknown
        var isDraining = false
        var isYielding = false
        var isTaking = false
        var gateway = Reachability.unknown
        var term: UInt32 = 0
        /// The peer's change number.
        var number: UInt32 = 0
        /// Its host was silent since it said so and has not repeated it, nor told all that is new: what is true now may be the contrary.
        var isOutdated = false

        /// It is master and means to stay.
        var isMastership: Bool { state == .master && !isYielding }
    }

    /// An office that a backup may take.
    ///
    ///                     verdict                 own turn: inject 0          keepalived: MASTER
    ///     (somebody is) ──────────▶ vacancy since ──────────────────▶ attempts ─────────────────▶ master
    ///         ▲                         │                                │
    ///         └─────────────────────────┴────────────────────────────────┘
    ///                        somebody claims, or the picture changes
    enum Vacancy: Hashable, Sendable {
        /// Its host died.
        case dead(peer: Int)
        /// All members are known and none is master.
        case nobody
        /// It asks for a successor.
        case yielding(peer: Int)
        /// Its keepalived ended.
        case headless(peer: Int)

        /// Whether many of them come at once that nobody serves meanwhile. A master that yields has its own pace, and the moment counts; one whose
        /// keepalived ended starts it again soon.
        var isPaced: Bool {
            switch self {
            case .dead, .nobody: true
            case .yielding, .headless: false
            }
        }
    }

    /// A host takes over a few routers at a time.
    ///
    ///              due         a place is free: inject 0
    ///     (none) ─────▶ awaited ──────────────────────────▶ now ──▶ master, or (none) when its time is over
    enum Turn: Hashable, Sendable {
        case none
        case awaited
        /// Until then the place is not given to another.
        case now(until: Int)

        var end: Int? { if case .now(let until) = self { until } else { nil } }
    }

    /// We and a peer are master.
    ///
    ///                    ┌─ we are better ─▶ announce ─── rival gives way ──▶ announce
    ///     both claim ────┤
    ///                    └─ we are worse ──▶ (mute, wait for it) inject 255, at most 5 times ──▶ backup (relay, if the HA network is silent)
    ///                                              └─ still master ──▶ strip ──▶ fault
    struct Conflict: Hashable, Sendable {
        var rival: Int
        var since: Int
        var isReported = false
        var isLosing = false
        /// Keeps our keepalived's advertisements in.
        var mute: Filter?
    }

    /// Something that the host shall keep from passing. Until it is known to be there, what it is for waits, but not for ever:
    /// `ElectionSettings.filterPatience`.
    struct Filter: Hashable, Sendable {
        var asked: Int
        var isThere = false
    }

    /// We are master, and a peer that shall give way still is.
    struct Overlap: Hashable, Sendable {
        /// When to announce the addresses again.
        var next: Int
        var announcements = 0
    }

    /// The master lives and its advertisements do not come: we hand them to our keepalived.
    ///
    ///              lost against a better claim, or the master is silent and others hear it,
    ///              or we have just begun and have not heard it
    ///     (quiet) ────────────────────────────────────────▶ relaying: inject its advertisement each 330 ms or interval
    ///         ▲                                                 │
    ///         └─────────────────────────────────────────────────┘
    ///              a real one was heard, or the claim ended
    struct Relay: Hashable, Sendable {
        var peer: Int
        var next: Int
        /// Nil for as long as the master is not heard. A backup that has never heard it finds out in the end that it does not advertise.
        var until: Int?
    }

    /// Nobody seems to be master, beside a host that was never heard: we listen, in case it is.
    struct Silence: Hashable, Sendable {
        var since: Int
        /// Somebody advertises: then VRRP decides.
        var isBroken = false
    }

    enum HandoverReason: Hashable, Sendable { case draining, gateway }

    var router: ElectionRouter
    /// Positions of the peers' hosts in `Election.hosts`.
    var hosts: [Int?]
    /// Beside `router.peers`.
    var claims: [Claim]

    var own = MemberState.unknown
    /// Of our own mastership; 0 while we do not know that it is the best claim.
    var term: UInt32 = 0
    var highestTerm: UInt32 = 0
    /// The peer that claimed master last and has not taken it back.
    var lastMaster: Int?
    /// The change number of our entry.
    var number: UInt32 = 0

    var vacancy: Vacancy?
    var vacantSince = 0
    var attempts = 0
    var lastAttempt: Int?
    /// We take the office: our keepalived is told when its turn comes, and has not answered yet.
    var isTaking = false
    var turn = Turn.none
    /// Since when another candidate says the same of itself.
    var takenSince: Int?
    /// A master that yields has just advertised: its next advertisement, which would send a successor back, is an interval away.
    var isMomentGood = false
    /// We are the successor and wait for that.
    var awaitsMoment = false
    /// Since when it is backup, out of nothing; nil once it was seen to hear others, or that was given up.
    var backupSince: Int?
    var silence: Silence?
    /// An advertisement of anybody would end one of these two.
    var isHearing = false
    var isListening = false

    var conflict: Conflict?
    var overlap: Overlap?
    var resignations = 0
    var nextResignation: Int?

    var relay: Relay?
    /// Since when the master is silent to us while others hear it: mostly because it has just died and they do not know yet.
    var silentSince: Int?
    /// Real advertisements of a master come whose pulses do not.
    var isMasterHeard = false

    /// Lets our keepalived not hear the successor: before we say that we yield, and until we do not any more.
    var deafness: Filter?
    var yieldingFor: HandoverReason?
    var yieldingSince = 0
    var isWaitingToYield = false
    var isCalledToYield = false
    var drainNotBefore = Int.min
    var gatewayNotBefore = Int.min
    var gatewayBackoff = 0
    var lastGatewayHandover: Int?

    /// keepalived has ended, and its successor, which begins as backup, has not said so yet.
    var awaitsDaemon = false
    var headlessSince = 0
    var isRestarting = false
    var nextHold: Int?

    init(router: ElectionRouter, hosts: [Int?]) {
        self.router = router
        self.hosts = hosts
        claims = Array(repeating: Claim(), count: router.peers.count)
    }

    /// The same election with another group: what is known of peers that stay is kept.
    mutating func change(to router: ElectionRouter, hosts: [Int?]) {
        let positions = self.router.peers.map { old in
            router.peers.firstIndex { $0.address == old.address && $0.endpoint == old.endpoint }
        }
        var claims = Array(repeating: Claim(), count: router.peers.count)
        for (old, new) in positions.enumerated() { if let new { claims[new] = self.claims[old] } }
        lastMaster = lastMaster.flatMap { positions[$0] }
        if let old = relay { relay = positions[old.peer].map { Relay(peer: $0, next: old.next, until: old.until) } }
        if let old = conflict {
            conflict = positions[old.rival].map { rival in
                var conflict = old
                conflict.rival = rival
                return conflict
            }
        }
        vacancy = nil
        self.router = router
        self.hosts = hosts
        self.claims = claims
    }

    /// One of those that hand over, which are few at a time.
    var isHandingOver: Bool { yieldingFor != nil || deafness != nil }

    /// The term of a claim that begins now and is the best: saturates.
    var nextTerm: UInt32 { highestTerm == .max ? .max : highestTerm + 1 }

    func gateway(_ gateways: [String: Reachability]) -> Reachability {
        router.gatewayKey.flatMap { gateways[$0] } ?? .unknown
    }

    func entry(_ gateways: [String: Reachability]) -> Pulse.Entry {
        Pulse.Entry(
            id: router.id, state: own, isDraining: router.isDraining, isYielding: yieldingFor != nil, isTaking: isTaking,
            gateway: gateway(gateways),
            term: own == .master ? term : highestTerm, number: number)
    }

    /// Takes note of what a peer says. False when that is old or nothing new.
    mutating func note(_ entry: Pulse.Entry, of peer: Int) -> Bool {
        guard !claims[peer].isTold || entry.number > claims[peer].number else {
            return entry.number == claims[peer].number && confirm(peer)
        }
        let former = claims[peer]
        claims[peer] = Claim(
            isTold: true, state: entry.state, isDraining: entry.isDraining, isYielding: entry.isYielding, isTaking: entry.isTaking,
            gateway: entry.gateway,
            term: entry.term, number: entry.number)
        highestTerm = max(highestTerm, entry.term)
        switch entry.state {
        case .master: lastMaster = peer
        case .backup, .fault: if lastMaster == peer { lastMaster = nil }
        case .unknown, .headless: break
        }
        var same = claims[peer]
        same.number = former.number
        return same != former
    }

    /// What a peer said before its silence is still true. False when that was never in doubt.
    mutating func confirm(_ peer: Int) -> Bool {
        defer { claims[peer].isOutdated = false }
        return claims[peer].isOutdated
    }

    /// The peer's agent was started anew and has not said yet what it is. That it was master stands until it says otherwise.
    mutating func forget(_ peer: Int) { claims[peer] = Claim() }
}

/// The order of candidates for an office: less is better. Every member computes the same order from the same knowledge.
struct Candidacy: Comparable {
    var isDraining: Bool
    var gateway: Reachability
    var priority: Int
    var address: IPAddress

    static func < (left: Candidacy, right: Candidacy) -> Bool {
        if left.isDraining != right.isDraining { return right.isDraining }
        if left.gateway.rank != right.gateway.rank { return left.gateway.rank < right.gateway.rank }
        if left.priority != right.priority { return left.priority > right.priority }
        return left.address > right.address
    }
}
