/// Whether a gateway answers: what is known after each request and each answer.
///
///                 answer                       answer
///     unknown ────────────▶ reachable ◀──────────────────────┐
///        │                     │ `missesUntilUnreachable`     │
///        └─────────────────────┴──────────────────────▶ unreachable
///              requests in a row without an answer
///
/// One request is asked at a time; it counts as missed when the next one is due. Time is monotonic milliseconds.
struct GatewayWatch: Hashable {
    static let intervalMilliseconds = 500
    /// While answers are missing, requests follow each other faster.
    static let retryMilliseconds = 150
    static let missesUntilUnreachable = 4

    /// Nil before anything is known.
    private(set) var isReachable: Bool?
    private(set) var nextRequest: Int
    private var misses = 0
    private var isWaiting = false

    init(now: Int) { nextRequest = now }

    /// A request goes out now. True when what is known has changed.
    mutating func requested(now: Int) -> Bool {
        if isWaiting { misses += 1 }
        isWaiting = true
        nextRequest = now + (misses == 0 ? Self.intervalMilliseconds : Self.retryMilliseconds)
        guard misses >= Self.missesUntilUnreachable, isReachable != false else { return false }
        isReachable = false
        return true
    }

    /// An answer came. True when what is known has changed.
    mutating func answered() -> Bool {
        misses = 0
        isWaiting = false
        guard isReachable != true else { return false }
        isReachable = true
        return true
    }
}
