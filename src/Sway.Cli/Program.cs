Console.Error.WriteLine("usage: sway COMMAND");
return 2;
