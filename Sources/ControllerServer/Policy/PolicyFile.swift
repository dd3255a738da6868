import APISchema
import AccessPolicy
import Foundation
import Yams

/// Why the rules of a policy file are not taken: a sentence with the line to look at.
public struct PolicyFileError: Error, Hashable, Sendable, CustomStringConvertible {
    public var path: String
    /// From 1; nil when no line is at fault.
    public var line: Int?
    public var reason: String

    public var description: String { "The policy file \(path)\(line.map { ", line \($0)," } ?? "") \(reason)." }
}

/// A file with rules that take the place of Neutron's: `policy.yaml` as oslo.policy reads it, or JSON, which YAML holds.
public enum PolicyFile {
    /// A file with all rules written out has a tenth of that.
    private static let maximumBytes = 1 << 20

    /// Reads the rules, with the defaults where the file has none.
    public static func read(_ path: String) throws(PolicyFileError) -> PolicyRules {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            let reason = FileManager.default.fileExists(atPath: path) ? "cannot be read: \(error)" : "does not exist"
            throw PolicyFileError(path: path, reason: reason)
        }
        guard data.count <= maximumBytes else { throw PolicyFileError(path: path, reason: "has more than \(maximumBytes) bytes") }
        guard let text = String(data: data, encoding: .utf8) else { throw PolicyFileError(path: path, reason: "is not UTF-8") }
        return try rules(in: text, path: path)
    }

    static func rules(in text: String, path: String) throws(PolicyFileError) -> PolicyRules {
        let (overrides, lines) = try overrides(in: text, path: path)
        do throws(PolicyRuleError) {
            return try PolicyRules(overrides: overrides)
        } catch {
            throw PolicyFileError(
                path: path, line: lines[error.rule], reason: "has a rule '\(error.rule)' that cannot be used: \(error.reason)")
        }
    }

    private static func overrides(
        in text: String, path: String
    ) throws(PolicyFileError) -> (rules: [String: JSONValue], lines: [String: Int]) {
        let document: Node?
        do {
            document = try compose(yaml: text)
        } catch let error as YamlError {
            throw PolicyFileError(path: path, line: error.line, reason: "is no YAML: \(error.sentence)")
        } catch {
            throw PolicyFileError(path: path, reason: "is no YAML: \(error)")
        }
        // Nothing but comments, as sample files are.
        guard let document, !document.isNull else { return ([:], [:]) }
        guard let mapping = document.mapping else {
            throw PolicyFileError(path: path, line: document.mark?.line, reason: "is not a list of rules: each line is \"NAME\": \"RULE\"")
        }
        var rules: [String: JSONValue] = [:]
        var lines: [String: Int] = [:]
        for (key, value) in mapping {
            guard let name = key.scalar?.string, let rule = value.rule else {
                throw PolicyFileError(
                    path: path, line: key.mark?.line,
                    reason:
                        "has a rule '\(key.scalar?.string ?? "")' that is no text; put what it says into quotes, \"\" lets everybody pass")
            }
            rules[name] = rule
            lines[name] = key.mark?.line
        }
        return (rules, lines)
    }
}

extension Node {
    /// Written as nothing, `~` or `null`, and not as an empty text in quotes.
    fileprivate var isNull: Bool {
        guard let scalar else { return false }
        return scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// A text, or the older list of lists; nil for what is neither.
    fileprivate var rule: JSONValue? {
        if isNull { return nil }
        if let scalar { return .string(scalar.string) }
        guard let sequence else { return nil }
        var elements: [JSONValue] = []
        for element in sequence {
            guard let value = element.rule else { return nil }
            elements.append(value)
        }
        return .array(elements)
    }
}

extension YamlError {
    fileprivate var line: Int? {
        switch self {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
        default: nil
        }
    }

    /// In one line.
    fileprivate var sentence: String {
        switch self {
        case .scanner(_, let problem, _, _), .parser(_, let problem, _, _), .composer(_, let problem, _, _): problem
        default: "\(self)".split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
    }
}
