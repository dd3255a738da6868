/// What went wrong in a lab, as one sentence or a few that say what to do.
public struct LabError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}
