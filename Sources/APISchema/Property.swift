/// A property of a resource, read and written where it lies in memory.
///
/// A key path is looked up part by part at each use, which for a list of resources costs more than everything else about them. Of a stored property
/// the place is known once and for all (`MemoryLayout.offset(of:)`); others have accessors.
struct Property<Root, Value>: Sendable {
    private enum Way: Sendable {
        /// Bytes from the start of the resource.
        case offset(Int)
        case accessors(get: @Sendable (Root) -> Value, set: @Sendable (inout Root, Value) -> Void)
    }

    private let way: Way

    /// A property of a concrete type.
    init(_ path: any WritableKeyPath<Root, Value> & Sendable) {
        if let offset = MemoryLayout<Root>.offset(of: path) {
            way = .offset(offset)
        } else {
            way = .accessors(get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
        }
    }

    /// A property that a protocol names: its key path would call the same accessors, by a longer way.
    init(get: @escaping @Sendable (Root) -> Value, set: @escaping @Sendable (inout Root, Value) -> Void) {
        way = .accessors(get: get, set: set)
    }

    @inline(__always)
    func read<Result>(_ root: Root, _ body: (Value) -> Result) -> Result {
        switch way {
        case .offset(let offset):
            // The offset is that of a stored property of the type: a value of its type is there.
            withUnsafePointer(to: root) { start in
                body(UnsafeRawPointer(start).advanced(by: offset).assumingMemoryBound(to: Value.self).pointee)
            }
        case .accessors(let get, _): body(get(root))
        }
    }

    @inline(__always)
    func write(_ value: Value, to root: inout Root) {
        switch way {
        case .offset(let offset):
            withUnsafeMutablePointer(to: &root) { start in
                UnsafeMutableRawPointer(start).advanced(by: offset).assumingMemoryBound(to: Value.self).pointee = value
            }
        case .accessors(_, let set): set(&root, value)
        }
    }
}
