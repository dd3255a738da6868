/// What of a host's kernel all keepaliveds want at once: the lock for links, addresses and routes, which they get by turns.
struct SimulatedKernel {
    static let requestsPerMillisecond = 4

    /// Who wants it, and how often each, in the order of their turns.
    private var waiting: [(router: Int, requests: Int)] = []

    var isIdle: Bool { waiting.isEmpty }

    mutating func add(_ router: Int, requests: Int) { waiting.append((router, requests)) }

    /// Does what can be done in a millisecond. Returns whose last request was done.
    mutating func work() -> [Int] {
        var done: [Int] = []
        for _ in 0..<Self.requestsPerMillisecond where !waiting.isEmpty {
            var first = waiting.removeFirst()
            first.requests -= 1
            if first.requests > 0 { waiting.append(first) } else { done.append(first.router) }
        }
        return done
    }
}
