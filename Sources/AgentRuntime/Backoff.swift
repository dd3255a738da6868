/// How long to wait before the next try: doubling, bounded, with a jitter so that many hosts do not come at once.
struct Backoff {
    private let firstMilliseconds: Int
    private let lastMilliseconds: Int
    private var milliseconds: Int

    init(firstMilliseconds: Int, lastMilliseconds: Int) {
        self.firstMilliseconds = firstMilliseconds
        self.lastMilliseconds = lastMilliseconds
        milliseconds = firstMilliseconds
    }

    /// Between calls to a server.
    static var ofServer: Self { Self(firstMilliseconds: 100, lastMilliseconds: 3000) }

    mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let jittered = Int.random(in: milliseconds / 2...milliseconds, using: &generator)
        milliseconds = min(milliseconds * 2, lastMilliseconds)
        return .milliseconds(jittered)
    }

    mutating func reset() { milliseconds = firstMilliseconds }
}
