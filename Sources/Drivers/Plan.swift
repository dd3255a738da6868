import KernelInterface

/// The object that wanted an operation: what is reported when the operation fails.
public enum Subject: Hashable, Sendable, CustomStringConvertible {
    case namespace(NamespaceName?)
    case link(String, NamespaceName?)
    case firewall(NamespaceName?)
    /// By the daemon's key.
    case daemon(String)

    public var namespace: NamespaceName? {
        switch self {
        case .namespace(let namespace), .link(_, let namespace), .firewall(let namespace): namespace
        case .daemon: nil
        }
    }

    public var description: String {
        switch self {
        case .namespace(let namespace): namespace.map { "namespace \($0)" } ?? "the host"
        case .link(let name, let namespace): "link \(name)" + (namespace.map { " in \($0)" } ?? "")
        case .firewall(let namespace): "firewall of \(namespace.map(\.description) ?? "the host")"
        case .daemon(let key): "daemon \(key)"
        }
    }
}

/// One step of a plan.
public struct PlannedOperation: Hashable, Sendable {
    public enum Role: Hashable, Sendable {
        /// Makes or changes something of ours; what exists already is fine.
        case make
        /// Removes something; what is gone already is fine.
        case remove
        /// Puts a foreign link into a bridge: only once the firewall of the namespace is loaded. A link that is gone is missing.
        case attach
        /// Tells the neighbours about an address. Nothing depends on it.
        case announce
    }

    public var operation: KernelOperation
    public var subject: Subject
    public var role: Role
    /// Tried once when `operation` fails: the whole table where an update of elements did not fit.
    public var fallback: KernelOperation?

    public init(_ operation: KernelOperation, for subject: Subject, role: Role, fallback: KernelOperation? = nil) {
        self.operation = operation
        self.subject = subject
        self.role = role
        self.fallback = fallback
    }
}

/// The difference between a wanted and a found host, as operations in the order in which they must be done.
public struct Plan: Hashable, Sendable {
    /// Everything that makes and changes. Daemons follow, then ``remove``.
    public var build: [PlannedOperation] = []
    /// What is no longer wanted, in the reverse order of its making.
    public var remove: [PlannedOperation] = []
    /// Foreign links that are wanted in their place and do not exist yet, by namespace.
    public var missingLinks: [NamespaceName?: Set<String>] = [:]
    /// Namespaces where the operations have effects that only the kernel knows (removing an address takes others along): they must be
    /// looked into again, and planned again.
    public var lookAgain: Set<NamespaceName?> = []
    public var madeNamespaces: Set<NamespaceName> = []
    /// Links that are made in namespaces that exist: a daemon that runs there may hold a device that is gone.
    public var madeLinks: [NamespaceName: Set<String>] = [:]

    public init() {}

    public var operations: [KernelOperation] { (build + remove).map(\.operation) }
    public var isEmpty: Bool { build.isEmpty && remove.isEmpty }
}
