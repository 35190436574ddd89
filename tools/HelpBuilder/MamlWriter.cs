using System.Xml;
using System.Xml.Linq;

namespace Sway.HelpBuilder;

/// <summary>Writes the help file in the form that Get-Help reads (MAML).</summary>
internal static class MamlWriter
{
    private static readonly XNamespace s_help = "http://msh";
    private static readonly XNamespace s_maml = "http://schemas.microsoft.com/maml/2004/10";
    private static readonly XNamespace s_command = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    private static readonly XNamespace s_dev = "http://schemas.microsoft.com/maml/dev/2004/10";

    internal static void Write(string path, IEnumerable<(CmdletDescription Cmdlet, HelpPage Page)> commands)
    {
        var root = new XElement(
            s_help + "helpItems",
            new XAttribute("schema", "maml"),
            commands.Select(item => Command(item.Cmdlet, item.Page)));
        using XmlWriter writer = XmlWriter.Create(path, new XmlWriterSettings { Indent = true, NewLineChars = "\n" });
        new XDocument(root).Save(writer);
    }

    private static XElement Command(CmdletDescription cmdlet, HelpPage page)
    {
        string[] name = cmdlet.Name.Split('-');
        return new(
            s_command + "command",
            new XAttribute(XNamespace.Xmlns + "maml", s_maml),
            new XAttribute(XNamespace.Xmlns + "command", s_command),
            new XAttribute(XNamespace.Xmlns + "dev", s_dev),
            new XElement(
                s_command + "details",
                new XElement(s_command + "name", cmdlet.Name),
                new XElement(s_command + "verb", name[0]),
                new XElement(s_command + "noun", name[1]),
                Paragraphs("description", page.Synopsis)),
            Paragraphs("description", page.Description),
            new XElement(s_command + "syntax", cmdlet.Sets.Select(set => Syntax(cmdlet, page, set))),
            new XElement(
                s_command + "parameters",
                cmdlet.Parameters.OrderBy(parameter => parameter.Name, StringComparer.Ordinal)
                    .Select(parameter => Parameter(parameter, parameter.Roles[0], page))),
            Types("inputTypes", "inputType", page.Inputs),
            Types("returnValues", "returnValue", page.Outputs),
            new XElement(s_maml + "alertSet", new XElement(s_maml + "alert", Lines(page.Notes))),
            new XElement(s_command + "examples", page.Examples.Select(Example)),
            new XElement(s_command + "relatedLinks", page.Links.Select(link => new XElement(
                s_maml + "navigationLink", new XElement(s_maml + "linkText", link), new XElement(s_maml + "uri")))));
    }

    private static XElement Syntax(CmdletDescription cmdlet, HelpPage page, string set) => new(
        s_command + "syntaxItem",
        new XElement(s_maml + "name", cmdlet.Name),
        cmdlet.Parameters
            .Select(parameter => (Parameter: parameter, Role: parameter.RoleIn(set)))
            .Where(item => item.Role is not null)
            .OrderBy(item => item.Role!.Position ?? int.MaxValue)
            .ThenByDescending(item => item.Role!.Required)
            .Select(item => Parameter(item.Parameter, item.Role!, page)));

    private static XElement Parameter(ParameterDescription parameter, ParameterRole role, HelpPage page)
    {
        string pipeline = (role.ByValue, role.ByPropertyName) switch
        {
            (true, true) => "True (ByValue, ByPropertyName)",
            (true, false) => "True (ByValue)",
            (false, true) => "True (ByPropertyName)",
            _ => "False",
        };
        var element = new XElement(
            s_command + "parameter",
            new XAttribute("required", role.Required ? "true" : "false"),
            new XAttribute("variableLength", "true"),
            new XAttribute("globbing", parameter.Wildcards ? "true" : "false"),
            new XAttribute("pipelineInput", pipeline),
            new XAttribute("position", role.Position?.ToString() ?? "named"),
            new XAttribute("aliases", parameter.Aliases.Count == 0 ? "none" : string.Join(", ", parameter.Aliases)),
            new XElement(s_maml + "name", parameter.Name),
            Paragraphs("Description", page.Parameters[parameter.Name]));
        if (parameter.ElementType.IsEnum && Enum.GetNames(parameter.ElementType) is { Length: <= 8 } names)
        {
            element.Add(new XElement(
                s_command + "parameterValueGroup",
                names.Select(name => new XElement(
                    s_command + "parameterValue", new XAttribute("required", "false"), new XAttribute("variableLength", "false"), name))));
        }

        if (!parameter.IsSwitch)
        {
            string type = parameter.ElementType.Name + (parameter.PlainType.IsArray ? "[]" : "");
            element.Add(new XElement(
                s_command + "parameterValue", new XAttribute("required", "true"), new XAttribute("variableLength", "false"), type));
        }

        element.Add(new XElement(s_dev + "type", new XElement(s_maml + "name", parameter.PlainType.Name), new XElement(s_maml + "uri")));
        element.Add(new XElement(s_dev + "defaultValue", parameter.IsSwitch ? "False" : "None"));
        return element;
    }

    private static XElement Example(HelpExample example) => new(
        s_command + "example",
        new XElement(s_maml + "title", $"-------- {example.Title} --------"),
        new XElement(s_dev + "code", example.Code),
        new XElement(s_dev + "remarks", Lines(example.Remarks)));

    private static XElement Types(string list, string item, string text) => new(
        s_command + list,
        new XElement(
            s_command + item,
            new XElement(s_dev + "type", new XElement(s_maml + "name", text)),
            new XElement(s_maml + "description", new XElement(s_maml + "para"))));

    private static XElement Paragraphs(string name, string text) => new(s_maml + name, Lines(text));

    private static IEnumerable<XElement> Lines(string text) =>
        text.Split("\n\n").Select(paragraph => new XElement(s_maml + "para", paragraph));
}
