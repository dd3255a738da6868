import Addressing

/// A host that shares routers with us: whether it lives, what it heard, and how far we have told each other our entries.
struct PeerHost: Sendable {
    /// A router of which the host is a member, as positions in `Election.routers` and in the router's peers.
    struct Membership: Hashable, Sendable {
        var router: Int
        var peer: Int
    }

    let endpoint: IPAddress
    var memberships: [Membership] = []

    // Signs of life.
    private(set) var liveness = PeerLiveness.unknown
    private var askedSince: Int
    private(set) var lastPulse: Int?
    private var lastSign: Int?
    private var nextEcho: Int
    /// It has given a sign of life at least once.
    var wasHeard: Bool { lastSign != nil }
    /// When it fell silent; nil while it lives, and for one that was never heard.
    private(set) var diedAt: Int?

    // What it tells us.
    var startID: UInt64?
    /// Datagrams of its former agent may still be under way.
    var formerStartID: UInt64?
    /// We hold its entries up to this change number…
    var held: UInt32 = 0
    /// …of so many.
    var latest: UInt32 = 0
    /// It was silent, and has not told all that is new since.
    var isInDoubt = false
    /// When it was last heard to have become master of a router.
    var lastGain: Int?
    /// The hosts that it hears.
    var heard: [Pulse.Heard] = []
    /// Since when it does not hear us although we hear it; nil while it does.
    var deafSince: Int?
    var hearsUs = false

    // What we tell it.
    /// It holds our entries up to this change number.
    var acked: UInt32 = 0
    /// We sent entries at least once up to this change number.
    var sent: UInt32 = 0
    /// When all is told again to one that cannot acknowledge.
    var nextRepetition = Int.min
    /// The list of hosts for it, encoded; nil when it must be made anew.
    var heardCache: (count: Int, bytes: [UInt8])?

    init(endpoint: IPAddress, now: Int) {
        self.endpoint = endpoint
        askedSince = now
        nextEcho = now
    }

    /// Whether all that it has told holds now.
    var isCurrent: Bool { liveness == .alive && startID != nil && held >= latest }

    /// A pulse came. True when that changes its liveness.
    mutating func notePulse(now: Int) -> Bool {
        lastPulse = now
        lastSign = now
        guard liveness != .alive else { return false }
        diedAt = nil
        deafSince = now
        hearsUs = false
        liveness = .alive
        return true
    }

    /// Its kernel answered. True when that changes its liveness.
    mutating func noteSign(now: Int) -> Bool {
        lastSign = now
        guard liveness == .unknown || liveness == .dead else { return false }
        liveness = .absent
        diedAt = nil
        nextEcho = now
        return true
    }

    /// We slept and know nothing of the time that has passed: whoever lived gets a full span again.
    mutating func restartTimers(now: Int) {
        switch liveness {
        case .unknown: askedSince = now
        case .alive:
            lastPulse = now
            lastSign = now
            if deafSince != nil { deafSince = now }
        case .absent: lastSign = now
        case .dead: break
        }
    }

    /// Judges by the time that has passed. True when that changes its liveness.
    mutating func judge(now: Int, settings: ElectionSettings) -> Bool {
        let verdict: PeerLiveness
        if let lastPulse, now - lastPulse < settings.deathMilliseconds {
            verdict = .alive
        } else if let lastSign {
            verdict = now - lastSign < settings.deathMilliseconds ? .absent : .dead
        } else {
            verdict = liveness == .dead || now - askedSince >= settings.strangerDeathMilliseconds ? .dead : .unknown
        }
        guard verdict != liveness else { return false }
        if verdict == .dead, liveness != .unknown { diedAt = now }
        liveness = verdict
        return true
    }

    /// When the verdict on a host falls that is late by more than a lost pulse; nil for all others.
    func pendingVerdict(now: Int, settings: ElectionSettings) -> Int? {
        guard liveness == .alive || liveness == .absent, let lastSign,
            now - lastSign > settings.echoAfterMilliseconds + settings.echoIntervalMilliseconds
        else { return nil }
        return lastSign + settings.deathMilliseconds
    }

    /// Whether an echo request is due; counts it as sent.
    mutating func takeEcho(now: Int, settings: ElectionSettings) -> Bool {
        guard now >= echoDue(settings) else { return false }
        nextEcho = now + echoInterval(settings)
        return true
    }

    /// When judging or asking is due next.
    func deadline(_ settings: ElectionSettings) -> Int {
        let echo = echoDue(settings)
        switch liveness {
        case .unknown: return min(echo, askedSince + settings.strangerDeathMilliseconds)
        case .alive, .absent: return lastSign.map { min(echo, $0 + settings.deathMilliseconds) } ?? echo
        case .dead: return echo
        }
    }

    private func echoDue(_ settings: ElectionSettings) -> Int {
        guard liveness == .alive, let lastPulse else { return nextEcho }
        return max(nextEcho, lastPulse + settings.echoAfterMilliseconds)
    }

    private func echoInterval(_ settings: ElectionSettings) -> Int {
        switch liveness {
        case .unknown: settings.searchIntervalMilliseconds / 5
        case .alive: settings.echoIntervalMilliseconds
        case .absent: settings.pulseIntervalMilliseconds
        case .dead: settings.searchIntervalMilliseconds
        }
    }
}
