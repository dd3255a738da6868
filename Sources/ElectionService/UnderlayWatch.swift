/// Whether a host that suddenly hears no other one is deaf, or the others are dead: then its device still receives something now and then.
struct UnderlayWatch: Hashable {
    static let intervalMilliseconds = 250

    /// Nil while there is no reason to look.
    private(set) var nextLook: Int?
    private var receivedBefore: Int?

    /// - Parameter receivedPackets: How many the device has received until now; asked only when a look is due.
    /// - Returns: Whether it received something since the first look.
    mutating func look(isIsolated: Bool, now: Int, receivedPackets: () -> Int?) -> Bool {
        guard isIsolated else {
            self = UnderlayWatch()
            return false
        }
        // What was on its way when the others fell silent has come by the first look.
        guard let due = nextLook, now >= due else {
            nextLook = nextLook ?? now + Self.intervalMilliseconds
            return false
        }
        nextLook = now + Self.intervalMilliseconds
        guard let received = receivedPackets() else { return false }
        defer { receivedBefore = receivedBefore ?? received }
        return receivedBefore.map { received > $0 } ?? false
    }
}
