/// A network namespace as `ip netns` names it; `nil` wherever an optional one stands means the agent's own.
public struct NamespaceName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let description: String

    public init(_ name: String) {
        precondition(!name.isEmpty && name.utf8.count <= 255 && !name.contains("/"), "a namespace's name is a file name in /run/netns")
        description = name
    }

    public static func < (left: Self, right: Self) -> Bool { left.description < right.description }
}
