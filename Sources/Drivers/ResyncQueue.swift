import KernelInterface

/// What a resync still has to look at.
///
///             requested                         the host's own namespace and the first few,          … slice by slice
///     idle ──────────────▶ waiting ───────────▶ the lists of namespaces and daemons ───────────────▶ idle
struct ResyncQueue {
    struct Slice {
        var places: [NamespaceName?]
        /// Also lists what exists: what nobody wants is found that way.
        var isFirst: Bool
    }

    var isRequested = false
    private var rest: [NamespaceName] = []
    private var yields = 0

    var isUnderWay: Bool { isRequested || !rest.isEmpty }

    /// The next slice; nil when there is none, or when it is the turn of a cycle with changes.
    mutating func next(_ desired: HostConfiguration, size: Int, hasChanges: Bool, maximumYields: Int) -> Slice? {
        guard isUnderWay else { return nil }
        if hasChanges, yields < maximumYields {
            yields += 1
            return nil
        }
        yields = 0
        let isFirst = rest.isEmpty
        if isFirst {
            isRequested = false
            rest = desired.namespaces.keys.sorted()
        }
        let places = rest.prefix(size)
        rest.removeFirst(places.count)
        let wanted = places.filter { desired.namespaces[$0] != nil }.map(Optional.some)
        return Slice(places: (isFirst ? [nil] : []) + wanted, isFirst: isFirst)
    }
}
