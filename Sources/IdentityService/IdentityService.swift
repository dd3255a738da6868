import AccessPolicy
import Identity
import Logging
import NetworkModel
import Store
import Synchronization

/// The built-in identity: who is who, what they may do, and tokens that say so. Each verb is one transaction.
public final class IdentityService: Sendable {
    /// How long a token may still be taken for valid after another server, or the command line, has ended it. This server's own changes
    /// count at once.
    public static let revocationDelaySeconds = 1
    public static let tokenLifetimeLimits = 60...86_400

    let store: Store
    let hasher: PasswordHasher
    let tokenLifetimeSeconds: Int
    let logger: Logger
    let now: @Sendable () -> Timestamp
    /// Milliseconds of a clock that never goes back.
    let uptime: @Sendable () -> Int
    private let cache = Mutex(TokenCache())
    let limiter = Mutex(LoginLimiter())

    /// - Parameters:
    ///   - hashCost: what a new password's hash costs; tests make it cheap.
    ///   - now: the clock.
    ///   - uptime: milliseconds of a clock that never goes back, by which failed logins are forgotten.
    public init(
        store: Store, tokenLifetimeSeconds: Int = 3600, hashCost: PasswordHash.Cost = .standard, logger: Logger,
        now: @escaping @Sendable () -> Timestamp, uptime: @escaping @Sendable () -> Int = { IdentityService.systemUptime }
    ) {
        precondition(tokenLifetimeSeconds > 0, "a token's lifetime is checked where it comes from")
        self.store = store
        self.tokenLifetimeSeconds = tokenLifetimeSeconds
        hasher = PasswordHasher(cost: hashCost)
        self.logger = logger
        self.now = now
        self.uptime = uptime
    }

    var seconds: Int { now().secondsSince1970 }

    /// Milliseconds since the first look.
    public static var systemUptime: Int {
        let now = ContinuousClock.now - start
        return Int(now.components.seconds) * 1000 + Int(now.components.attoseconds / 1_000_000_000_000_000)
    }

    private static let start = ContinuousClock.now

    // MARK: Validation

    /// Who calls with a token; nil when it is not valid (any more).
    ///
    /// The usual case is a look into memory. Once a second the store is asked for one number; when that has changed, each token is looked
    /// up once again.
    ///
    /// - Throws: ``StoreError``.
    public func caller(ofToken text: String) async throws -> Caller? {
        let now = seconds
        if cache.withLock({ $0.needsCheck(now: now) }) {
            let revision = try await store.read { try $0.identityRevision() }
            cache.withLock { $0.noteRevision(revision, askedAt: now) }
        }
        if let caller = cache.withLock({ $0.caller(of: text, now: now) }) { return caller }
        guard let (details, revision) = try await validated(text, now: now) else { return nil }
        let caller = details.caller
        cache.withLock { cache in
            cache.noteRevision(revision)
            cache.insert(text, .init(caller: caller, expiresAt: details.token.expiresAt, revision: revision))
        }
        return caller
    }

    /// What a token stands for, from the store; nil when it is not valid (any more).
    public func details(ofToken text: String) async throws -> TokenDetails? { try await validated(text, now: seconds)?.details }

    private func validated(_ text: String, now: Int) async throws -> (details: TokenDetails, revision: Int)? {
        guard let signed = SignedToken(text), now < signed.token.expiresAt else { return nil }
        return try await store.read { transaction in
            guard let key = try transaction.tokenKey(signed.keyID), signed.isSigned(by: key), try !transaction.isRevoked(signed.token),
                let details = try transaction.details(of: signed.token)
            else { return nil }
            return (details, try transaction.identityRevision())
        }
    }

    // MARK: Changes

    /// A transaction that may end or change tokens. When it returns, this server goes by it.
    func change<T: Sendable>(_ body: @escaping @Sendable (StoreTransaction) throws -> T) async throws -> T {
        let (value, revision) = try await store.write { transaction in
            (try body(transaction), try transaction.advanceIdentityRevision())
        }
        cache.withLock { $0.noteRevision(revision) }
        return value
    }

    static func newID() -> String {
        var generator = SystemRandomNumberGenerator()
        return IdentityID.make(using: &generator)
    }
}
