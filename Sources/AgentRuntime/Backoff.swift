/// How long to wait before the next try: doubling, bounded, with a jitter so that many hosts do not come at once.
struct Backoff {
    static let firstMilliseconds = 100
    static let lastMilliseconds = 3000

    private var milliseconds = firstMilliseconds

    mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let jittered = Int.random(in: milliseconds / 2...milliseconds, using: &generator)
        milliseconds = min(milliseconds * 2, Self.lastMilliseconds)
        return .milliseconds(jittered)
    }

    mutating func reset() { milliseconds = Self.firstMilliseconds }
}
