import Crypto
import CryptoExtras

/// A password as it is stored: scrypt (RFC 7914) with a salt, written as Keystone and passlib do: `$scrypt$ln=15,r=8,p=1$SALT$KEY`.
///
/// scrypt takes time and memory, so that guessing is as dear for who stole the table as for us: with the default cost a hash takes 32 MiB and
/// some tens of milliseconds. The cost is part of the text: it can be raised, and older hashes remain valid.
public struct PasswordHash: Hashable, Sendable {
    public struct Cost: Hashable, Sendable {
        /// The binary logarithm of N: memory is 128 × r × N bytes.
        public var logarithm: Int
        public var blockSize: Int
        public var parallelism: Int

        public init(logarithm: Int, blockSize: Int, parallelism: Int) {
            self.logarithm = logarithm
            self.blockSize = blockSize
            self.parallelism = parallelism
        }

        public static let standard = Cost(logarithm: 15, blockSize: 8, parallelism: 1)

        /// What a damaged or foreign table cannot exceed: 1 GiB.
        var isReasonable: Bool { (1...20).contains(logarithm) && (1...8).contains(blockSize) && (1...16).contains(parallelism) }
    }

    public static let maximumPasswordBytes = 4096
    public static let saltBytes = 16
    static let keyBytes = 32

    public let cost: Cost
    let salt: [UInt8]
    let key: [UInt8]

    /// Hashes a password. Takes the time and memory of the cost.
    public init(of password: String, salt: [UInt8], cost: Cost = .standard) {
        self.cost = cost
        self.salt = salt
        key = Self.key(of: password, salt, cost, byteCount: Self.keyBytes)
    }

    /// Reads a stored text; nil when it is none, or of another algorithm.
    public init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt", let salt = Base64.decode(parts[3], .usual),
            let key = Base64.decode(parts[4], .usual), !salt.isEmpty, (16...64).contains(key.count)
        else { return nil }
        let numbers = parts[2].split(separator: ",").map { $0.split(separator: "=") }
        guard numbers.count == 3, numbers.allSatisfy({ $0.count == 2 }), numbers.map({ $0[0] }) == ["ln", "r", "p"],
            let logarithm = Int(numbers[0][1]), let blockSize = Int(numbers[1][1]), let parallelism = Int(numbers[2][1])
        else { return nil }
        cost = Cost(logarithm: logarithm, blockSize: blockSize, parallelism: parallelism)
        guard cost.isReasonable else { return nil }
        self.salt = salt
        self.key = key
    }

    /// Whether it is the password's. As dear as hashing; the comparison takes the same time whatever differs.
    public func matches(_ password: String) -> Bool {
        ConstantTime.areEqual(Self.key(of: password, salt, cost, byteCount: key.count), key)
    }

    private static func key(of password: String, _ salt: [UInt8], _ cost: Cost, byteCount: Int) -> [UInt8] {
        precondition(cost.isReasonable, "a cost is checked where it comes from")
        do {
            return try KDF.Scrypt.deriveKey(
                from: Array(password.utf8), salt: salt, outputByteCount: byteCount, rounds: 1 << cost.logarithm,
                blockSize: cost.blockSize, parallelism: cost.parallelism
            ).withUnsafeBytes { Array($0) }
        } catch {
            preconditionFailure("scrypt refuses only parameters that are not reasonable, and memory that is not there: \(error)")
        }
    }
}

extension PasswordHash: CustomStringConvertible {
    /// The text to store.
    public var description: String {
        "$scrypt$ln=\(cost.logarithm),r=\(cost.blockSize),p=\(cost.parallelism)$\(Base64.encode(salt, .usual))$\(Base64.encode(key, .usual))"
    }
}
