import Dispatch
import Identity
import Synchronization

/// Hashes passwords beside the threads that serve requests, a few at a time: each takes a processor and 32 MiB.
final class PasswordHasher: Sendable {
    /// Hashes at work at once.
    static let concurrency = 2
    /// Logins that wait for their turn; more are told to come back.
    static let maximumWaiting = 256

    private let queue = DispatchQueue(label: "password-hashes", attributes: .concurrent)
    private let cost: PasswordHash.Cost
    /// Compared for users that do not exist, so that they take the same time.
    private let decoy: PasswordHash

    private struct State {
        var running = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    init(cost: PasswordHash.Cost) {
        self.cost = cost
        decoy = PasswordHash(of: "decoy", salt: Array(repeating: 0, count: PasswordHash.saltBytes), cost: cost)
    }

    /// The text to store.
    func hash(_ password: String) async throws -> String {
        let salt = RandomBytes.make(PasswordHash.saltBytes)
        let cost = cost
        return try await run { PasswordHash(of: password, salt: salt, cost: cost).description }
    }

    /// Whether the stored text is the password's; false, after the same time, when there is none.
    func verify(_ password: String, _ text: String?) async throws -> Bool {
        let hash = text.flatMap(PasswordHash.init)
        let decoy = decoy
        return try await run { (hash ?? decoy).matches(password) } && hash != nil
    }

    private func run<T: Sendable>(_ body: @escaping @Sendable () -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            let work: @Sendable () -> Void = { [self] in
                let value = body()
                continuation.resume(returning: value)
                next()
            }
            let isAccepted = state.withLock { state in
                if state.running < Self.concurrency {
                    state.running += 1
                    queue.async(execute: work)
                    return true
                }
                guard state.waiting.count < Self.maximumWaiting else { return false }
                state.waiting.append(work)
                return true
            }
            if !isAccepted { continuation.resume(throwing: IdentityError.busy) }
        }
    }

    private func next() {
        state.withLock { state in
            if state.waiting.isEmpty {
                state.running -= 1
            } else {
                queue.async(execute: state.waiting.removeFirst())
            }
        }
    }
}

/// Bytes that nobody can guess.
public enum RandomBytes {
    public static func make(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// Two hexadecimal digits for each byte.
    public static func hexadecimal(_ count: Int) -> String {
        make(count).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
