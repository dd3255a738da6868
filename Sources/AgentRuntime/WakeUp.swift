/// Wakes one waiting loop. Several wake-ups before the loop looks count as one.
struct WakeUp: Sendable {
    let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    func callAsFunction() { continuation.yield() }
}
