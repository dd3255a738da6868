/// Slows down who guesses passwords. Counts failed logins per user and address, per user, and per address; the strictest decides.
///
/// Each is a bucket that holds `burst` failures and gives one back every `secondsPerAttempt` seconds, kept as one number: the time at which it will
/// be full again (the generic cell rate algorithm). Logins that are looked at together may empty a bucket below nothing: the time until the next one is
/// the longer, so that guesses are as rare in the long run as one after the other, and right passwords cost nothing however many come at once.
public struct LoginLimiter: Sendable {
    public struct Limit: Sendable {
        public let burst: Int
        public let secondsPerAttempt: Int
    }

    /// One user from one address.
    public static let userAtAddress = Limit(burst: 10, secondsPerAttempt: 6)
    /// One user from everywhere. Wider, since otherwise everybody could lock everybody out.
    public static let user = Limit(burst: 100, secondsPerAttempt: 1)
    /// One address, which may be a proxy's.
    public static let address = Limit(burst: 200, secondsPerAttempt: 1)
    /// Buckets that are not full. When there are more (which takes hundreds of addresses), all are forgotten rather than anybody locked out.
    public static let maximumBuckets = 65_536

    /// Whose bucket.
    private enum Key: Hashable {
        case userAtAddress(String, String)
        case user(String)
        case address(String)
    }

    /// When a bucket is full again, in milliseconds; absent: it is.
    private var fullAt: [Key: Int] = [:]

    public init() {}

    /// Buckets that are kept.
    var count: Int { fullAt.count }

    private static func buckets(_ user: String, _ address: String) -> [(key: Key, limit: Limit)] {
        [(.userAtAddress(user, address), userAtAddress), (.user(user), Self.user), (.address(address), Self.address)]
    }

    /// Whether a password may be looked at.
    ///
    /// - Parameters:
    ///   - user: as the request names it, whether or not there is such a user.
    ///   - milliseconds: of a clock that never goes back.
    /// - Returns: nil, or after how many seconds to try again.
    public func wait(user: String, address: String, at milliseconds: Int) -> Int? {
        let waits = Self.buckets(user, address).map { bucket in
            (fullAt[bucket.key] ?? 0) - milliseconds - (bucket.limit.burst - 1) * bucket.limit.secondsPerAttempt * 1000
        }
        guard let wait = waits.max(), wait > 0 else { return nil }
        return (wait + 999) / 1000
    }

    /// The password was wrong.
    public mutating func noteFailure(user: String, address: String, at milliseconds: Int) {
        let buckets = Self.buckets(user, address)
        if fullAt.count + buckets.count > Self.maximumBuckets { makeRoom(at: milliseconds) }
        for bucket in buckets {
            fullAt[bucket.key] = max(fullAt[bucket.key] ?? 0, milliseconds) + bucket.limit.secondsPerAttempt * 1000
        }
    }

    private mutating func makeRoom(at milliseconds: Int) {
        fullAt = fullAt.filter { $0.value > milliseconds }
        if fullAt.count > Self.maximumBuckets / 2 { fullAt = [:] }
    }
}
