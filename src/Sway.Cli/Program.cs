using Sway.Cli;

return CommandLine.Run(args);
