import sys
from pathlib import Path

from pydantic_ai import Agent, ModelMessagesTypeAdapter, ModelRetry
from pydantic_ai.models.anthropic import AnthropicModelSettings


# region answer
def answer(guide: str, file: Path, question: str) -> str:
    agent = Agent(
        "anthropic:claude-opus-5-5",
        instructions=guide,
        model_settings=AnthropicModelSettings(anthropic_cache=True),  # off by default
    )

    @agent.tool_plain(retries=3)
    def weather(city: str) -> str:
        """Tells the weather of a city.

        Args:
            city: Name of the city, in English
        """
        if city != "Lisbon":
            # The model reads this; another exception ends the run.
            raise ModelRetry(f"no station in {city!r}; give the English name")
        return "18 °C, light rain"

    history = ModelMessagesTypeAdapter.validate_json(file.read_bytes()) if file.exists() else None
    result = agent.run_sync(question, message_history=history)
    file.write_bytes(result.all_messages_json())
    return result.output
# endregion


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: main.py GUIDE FILE QUESTION; GUIDE holds the system prompt, FILE keeps the conversation")
    print(answer(Path(sys.argv[1]).read_text(), Path(sys.argv[2]), sys.argv[3]))
