using System.Reflection;
using System.Runtime.Loader;
using Sway.HelpBuilder;

if (args.Length != 3)
{
    Console.Error.WriteLine("usage: Sway.HelpBuilder CMDLETS.dll DOCS-FOLDER OUTPUT.xml");
    return 2;
}

string binaries = Path.GetDirectoryName(Path.GetFullPath(args[0]))!;
AssemblyLoadContext.Default.Resolving += (context, name) =>
{
    string path = Path.Combine(binaries, name.Name + ".dll");
    return File.Exists(path) ? context.LoadFromAssemblyPath(path) : null;
};
Assembly assembly = AssemblyLoadContext.Default.LoadFromAssemblyPath(Path.GetFullPath(args[0]));
var problems = new List<string>();
var commands = new List<(CmdletDescription, HelpPage)>();
foreach (CmdletDescription cmdlet in CmdletDescription.Of(assembly))
{
    string path = Path.Combine(args[1], cmdlet.Name + ".md");
    if (!File.Exists(path))
    {
        problems.Add($"{path}: missing; every cmdlet has a page");
        continue;
    }

    HelpPage page = HelpPage.Parse(File.ReadAllText(path));
    problems.AddRange(page.FindGaps(cmdlet).Select(gap => $"{path}: {gap}"));
    commands.Add((cmdlet, page));
}

// The form that MSBuild understands as an error of the build.
problems.ForEach(problem => Console.Error.WriteLine($"HelpBuilder : error HELP001: {problem}"));
if (problems.Count > 0)
{
    return 1;
}

Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(args[2]))!);
MamlWriter.Write(args[2], commands);
return 0;
