import HostModel
import NetworkModel

/// Which routers this host cannot realise, as the server shall hear it. What passes within a moment is not told: a daemon may need a second
/// try, and one that is refused again and again lives for a moment each time.
///
///                   not realised                 for 2 s; when it only starts or is silent, for 5 s
///      ┌────────┐ ──────────────▶ ┌──────────┐ ─────────────────────────────────────▶ ┌────────┐
///      │  well  │                 │ doubtful │                                         │ failed │
///      └────────┘ ◀────────────── └──────────┘                                         └────────┘
///           ▲       well for 3 s                                                            │
///           └───────────────────────────────────────────────────────────────────────────────┘
///                                          well for 3 s
struct RouterFailures {
    static let confirmMilliseconds = 2_000
    /// How long a daemon may take to start: longer than ``DaemonSupervisor`` waits for its process id.
    static let startMilliseconds = 5_000
    static let recoverMilliseconds = 3_000
    /// How long a sentence must not have been true for another one to take its place. A daemon that does not start is refused at each attempt,
    /// and waits between them: longer than ``RestartBackoff`` lets it, so that the reason stays.
    static let replaceMilliseconds = 60_000

    private static let startingSentence = "a daemon of the router does not stay up"
    private static let silentSentence =
        "keepalived runs, but has not said whether it is master or backup: see keepalived.log in the router's directory below ha_confs/"

    /// What one cycle says of a router.
    enum Finding: Hashable {
        /// What failed, in a sentence.
        case failing(String)
        /// Nothing failed, but a daemon does not run yet.
        case starting
        /// keepalived runs, and has not said what it is: it has no instance, or hangs.
        case silent
    }

    private struct Case {
        var since: Int
        /// The first failure that was named, or what took its place.
        var sentence: String?
        /// When it was last true.
        var seen = 0
        /// Since when the router has been well.
        var wellSince: Int?
        var isReported = false
    }

    private var cases: [ResourceID: Case] = [:]

    /// Whether no router is, or may be, failing.
    var isEmpty: Bool { cases.isEmpty }

    /// Whether the router may be failing, and the server has not heard so.
    func isDoubtful(_ router: ResourceID) -> Bool { cases[router].map { !$0.isReported } ?? false }

    /// What the server shall know of a router now; nil: nothing is amiss.
    func sentence(of router: ResourceID) -> String? {
        guard let found = cases[router], found.isReported else { return nil }
        return found.sentence
    }

    /// Takes what is known now of all routers: those without a finding are well.
    ///
    /// - Parameter routers: those that there are.
    /// - Parameter now: milliseconds of a monotonic clock.
    /// - Returns: routers of which the server shall hear.
    mutating func update(_ findings: [ResourceID: Finding], routers: (ResourceID) -> Bool, now: Int) -> [ResourceID] {
        cases = cases.filter { routers($0.key) }
        var news: [ResourceID] = []
        for id in Set(cases.keys).union(findings.keys) where routers(id) {
            if step(id, findings[id], now) { news.append(id) }
        }
        return news.sorted()
    }

    /// Milliseconds until time alone changes something, when nothing else does; nil: it will not.
    func nextLookMilliseconds(now: Int) -> Int? {
        let times = cases.values.compactMap { found in
            found.wellSince.map { $0 + Self.recoverMilliseconds }
                ?? (found.isReported ? nil : found.since + (found.sentence == nil ? Self.startMilliseconds : Self.confirmMilliseconds))
        }
        return times.min().map { max($0 - now, 1) }
    }

    /// True when the server shall hear of the router.
    private mutating func step(_ id: ResourceID, _ finding: Finding?, _ now: Int) -> Bool {
        guard let finding else { return recover(id, now) }
        var found = cases[id] ?? Case(since: now)
        let before = found.isReported ? found.sentence : nil
        found.wellSince = nil
        if case .failing(let sentence) = finding {
            let isReplaced =
                found.sentence == nil || found.sentence == Self.startingSentence || found.sentence == Self.silentSentence
                || now - found.seen >= Self.replaceMilliseconds
            if isReplaced { found.sentence = sentence }
            if found.sentence == sentence { found.seen = now }
        }
        let patience = found.sentence == nil ? Self.startMilliseconds : Self.confirmMilliseconds
        if now - found.since >= patience {
            found.isReported = true
            found.sentence = found.sentence ?? (finding == .silent ? Self.silentSentence : Self.startingSentence)
        }
        cases[id] = found
        return found.isReported && before != found.sentence
    }

    private mutating func recover(_ id: ResourceID, _ now: Int) -> Bool {
        guard let found = cases[id] else { return false }
        let wellSince = found.wellSince ?? now
        cases[id]?.wellSince = wellSince
        guard now - wellSince >= Self.recoverMilliseconds else { return false }
        cases[id] = nil
        return found.isReported
    }
}
